using Couic.Cli.Api;
using Couic.Cli.Syntax;
using Couic.Http.Wire;
using Couic.Store;

namespace Couic.Cli.Commands;

/// <summary><c>sets create</c>.</summary>
internal static class SetsCreate
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "create",
        Summary = "Make a set from networks, a file, or what an autonomous system announces",
        Arguments = [CommonOptions.Policy, SetsCommands.Name, SetSource.Entries],
        Options = [SetSource.FromFile, SetSource.FromAsn, GuardOptions.Force],
        Examples =
        [
            "couicctl sets create drop scanners 192.0.2.0/24 2001:db8:bad::/48",
            "couicctl sets create drop blocklist --from-file list.txt",
            "couicctl sets create ignore partner --from-asn AS64500",
        ],
        Run = Run,
    };

    private static int Run(Invocation invocation)
    {
        (Policy policy, string name, _) = SetsCommands.Target(invocation, SetSource.Faults(invocation));
        using ApiClient api = invocation.Connect();
        var set = new SetRecord(name, SetSource.Read(invocation, api.Endpoint));
        SetsCommands.ThrowIfLockedOut(invocation, api, policy, set);
        string path = SetsCommands.PathOf(policy) + (policy == Policy.Drop ? invocation.GuardedQuery() : "");
        SetRecord made = api.Parse(
            invocation.Noted(api.Send(HttpMethod.Post, path, set, WireJson.Default.SetRecord)), WireJson.Default.SetRecord);
        SetsCommands.Announce(invocation.Out, $"Set '{name}' created with {made.Entries.Length} entries");
        return ExitStatus.Success;
    }
}
