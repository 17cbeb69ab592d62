using Couic.Cli.Commands;
using Couic.Cli.Syntax;
using Couic.Store;

namespace Couic.Cli;

/// <summary>The tree of all commands of couicctl: what is parsed, explained, completed and printed in its man page.</summary>
internal static class CouicctlCommands
{
    public static readonly CommandSpec Root = new()
    {
        Name = CouicctlMain.Name,
        Summary = "Control the couic firewall",
        Options = [CommonOptions.Config],
        Commands =
        [
            EntryCommands.Spec(Policy.Drop),
            EntryCommands.Spec(Policy.Ignore),
            Why.Spec,
            SetsCommands.Spec,
            StatsCommands.Spec,
            ClientsCommands.Spec,
            Peers.Spec,
            Status.Spec,
            Reload.Spec,
            CompletionCommand.Spec,
            HelpCommand.Spec,
        ],
        Examples = ["couicctl drop add 192.0.2.7 -t ssh -e 1h", "couicctl drop list", "couicctl why 192.0.2.7"],
    };
}
