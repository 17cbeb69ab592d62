using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Cli.Values;

namespace Couic.Cli.Commands;

/// <summary>What every change has to do with the daemon's guard against lock-outs: it is asked to refuse, unless forced.</summary>
internal static class GuardOptions
{
    public static readonly OptionSpec Force = new("force", '\0', null, "Do it even where that may lock you out");

    /// <summary>The query of a change: <paramref name="parts"/>, and what is asked of the guard.</summary>
    public static string GuardedQuery(this Invocation invocation, params IEnumerable<string?> parts)
    {
        IEnumerable<string> all = parts.OfType<string>().Append(invocation.Has(Force.Long) ? "force=true" : "guard=refuse");
        return "?" + string.Join('&', all);
    }

    /// <summary>Shows what the daemon warns of.</summary>
    public static ApiAnswer Noted(this Invocation invocation, ApiAnswer answer)
    {
        foreach (string warning in answer.Warnings)
        {
            invocation.Context.Error.WriteLine($"{CouicctlMain.Name}: note: {Printable.Escape(warning)}");
        }

        return answer;
    }
}
