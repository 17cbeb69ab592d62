using Couic.Cli.Api;
using Couic.Cli.Output;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Http.Wire;

namespace Couic.Cli.Commands;

/// <summary><c>peers diff</c>.</summary>
internal static class PeersDiff
{
    /// <summary>Two tables are compared over the network before the answer.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private static readonly string[] Headers = ["Policy", "CIDR", "Here", "There"];

    public static readonly CommandSpec Spec = new()
    {
        Name = "diff",
        Summary = "List the rules that a peer does not hold as this node does",
        Arguments = [new ArgumentSpec("HOST", "The peer, as the configuration names it")],
        Options = [CommonOptions.Json],
        Examples = ["couicctl peers diff couic2.example.net"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        string host = invocation.Argument(0);
        using ApiClient api = invocation.Connect();
        ApiAnswer answer = api.Send(HttpMethod.Get, $"/v1/peers/{Uri.EscapeDataString(host)}/diff", limit: Limit);
        PeerDiffRecord diff = api.Parse(answer, WireJson.Default.PeerDiffRecord);
        if (invocation.Has("json"))
        {
            IndentedJson.Write(invocation.Context.Output, answer.Body);
        }
        else if (diff.Differences.Length == 0)
        {
            invocation.Out.WriteLine($"{Printable.Quote(host)} holds the same rules");
        }
        else
        {
            DateTimeOffset now = invocation.Context.Clock.GetUtcNow();
            Table.Write(invocation.Out, Headers, diff.Differences, (difference, column) => column switch
            {
                0 => Printable.Escape(difference.Policy),
                1 => Printable.Escape(difference.Cidr),
                2 => Cell(difference.Here, now),
                _ => Cell(difference.There, now),
            });
            invocation.Out.WriteLine(
                diff.Differences.Length == 1 && !diff.Truncated ? "1 rule differs" : $"{diff.Differences.Length}{(diff.Truncated ? " and more" : "")} rules differ");
        }

        return ExitStatus.Success;
    }

    private static string Cell(PeerRule? rule, DateTimeOffset now) => rule is null
        ? "absent"
        : (string.IsNullOrEmpty(rule.Tag) ? "" : Printable.Escape(rule.Tag) + ", ") + ExpirationCell.Format(rule.Expiration, now);
}
