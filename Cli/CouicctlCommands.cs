using Couic.Cli.Commands;
using Couic.Cli.Top;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli;

/// <summary>The command tree of couicctl: source of parser, help, completion and manual page.</summary>
internal static class CouicctlCommands
{
    public const string Name = "couicctl";

    public static readonly CommandSpec Root = new()
    {
        Name = Name,
        VersionText = $"{Name} {ProductVersion.Text}",
        Summary = "Control the couic firewall",
        Options = [CommonOptions.Config, CommonOptions.Server, .. OutputStyle.Options],
        Commands =
        [
            EntryCommands.Spec(Policy.Drop),
            EntryCommands.Spec(Policy.Ignore),
            Why.Spec,
            Export.Spec,
            Import.Spec,
            SetsCommands.Spec,
            StatsCommands.Spec,
            MonitorCommand.Spec,
            TopCommand.Spec,
            ClientsCommands.Spec,
            Peers.Spec,
            BusCommand.Spec,
            Status.Spec,
            History.Spec,
            Reload.Spec,
            CompletionCommand.Spec,
            CompleteCommand.Spec,
            VersionCommand.Spec,
            HelpCommand.Spec,
        ],
        Examples = ["couicctl drop add 192.0.2.7 -t ssh -e 1h", "couicctl drop list", "couicctl why 192.0.2.7"],
    };
}
