using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Cli.Values;
using Couic.Http.Wire;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>sets list</c>.</summary>
internal static class SetsList
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "list",
        Summary = "List the sets of a policy",
        Arguments = [CommonOptions.Policy],
        Examples = ["couicctl sets list drop"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        CommonOptions.ThrowIfAny(NameArgument.TryPolicy(invocation.Argument(0), out Policy policy));
        using ApiClient api = invocation.Connect();
        SetSummary[] sets = api.Parse(api.Get(SetsCommands.PathOf(policy)), WireJson.Default.SetSummaryArray);
        foreach (SetSummary set in sets)
        {
            invocation.Out.WriteLine($"{Printable.Escape(set.Name)}: {set.EntryCount} entries ({set.FileSize} bytes)");
        }

        if (sets.Length == 0)
        {
            invocation.Out.WriteLine($"No sets found for policy '{policy.Name()}'");
        }

        return ExitStatus.Success;
    }
}
