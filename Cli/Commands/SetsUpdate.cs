using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Http.Wire;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>sets update</c>.</summary>
internal static class SetsUpdate
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "update",
        Summary = "Replace everything in a set",
        Arguments = [CommonOptions.Policy, SetsCommands.Name, SetSource.Entries],
        Options = [SetSource.FromFile, SetSource.FromAsn, SetSource.Empty, GuardOptions.Force],
        Examples = ["couicctl sets update drop blocklist --from-file list.txt", "couicctl sets update drop blocklist --empty"],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        (Policy policy, string name, string path) = SetsCommands.Target(invocation, SetSource.Faults(invocation));
        using ApiClient api = invocation.Connect();
        var set = new SetRecord(name, SetSource.Read(invocation, api.Endpoint));
        SetsCommands.ThrowIfLockedOut(invocation, api, policy, set);
        path += invocation.GuardedQuery();
        SetRecord made = api.Parse(invocation.Noted(api.Send(HttpMethod.Put, path, set, WireJson.Default.SetRecord)), WireJson.Default.SetRecord);
        SetsCommands.Announce(invocation.Out, $"Set '{name}' updated with {made.Entries.Length} entries");
        return ExitStatus.Success;
    }
}
