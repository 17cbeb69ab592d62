using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>sets delete</c>.</summary>
internal static class SetsDelete
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "delete",
        Summary = "Delete a set's file",
        Details = ["Its entries stay in force until \"couicctl sets reload\"."],
        Arguments = [CommonOptions.Policy, SetsCommands.Name],
        Options = [GuardOptions.Force],
        Examples = ["couicctl sets delete drop blocklist"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        (Policy policy, string name, string path) = SetsCommands.Target(invocation);
        using ApiClient api = invocation.Connect();
        invocation.Noted(api.Delete(path + (policy == Policy.Ignore ? invocation.GuardedQuery() : "")));
        SetsCommands.Announce(invocation.Out, $"Set '{name}' deleted");
        return ExitStatus.Success;
    }
}
