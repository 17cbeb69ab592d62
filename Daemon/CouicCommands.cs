using Couic.Cli;
using Couic.CommandLine;
using Couic.Config;
using Couic.Demo;
using Couic.Reporting;

namespace Couic.Daemon;

/// <summary>The command tree of couic.</summary>
internal static class CouicCommands
{
    private static readonly OptionSpec Config = new(
        "config", 'c', "FILE", $"Configuration; without that file a built-in one, which filters lo and keeps its files under ./run")
    {
        Default = SettingsSource.DefaultPath,
        Kind = ValueKind.File,
    };

    private static readonly OptionSpec FileOnly = new("file-only", '\0', null, "Check the files alone, for a configuration of another machine");

    public static readonly CommandSpec Root = new()
    {
        Name = "couic",
        VersionText = $"Couic {ProductVersion.Text}",
        Summary = "Drop packets from listed networks before the kernel's network stack sees them",
        Details =
        [
            "Without a command it runs the daemon in the foreground.",
            "Signals: TERM and INT stop the daemon and detach the filter, HUP reads configuration and sets again. With [daemon] pin, TERM leaves "
            + "the filter for the next daemon.",
            "Exit status: 0 success, 1 a failure or a bad configuration, 2 a bad command line.",
        ],
        Options = [Config],
        Commands =
        [
            new CommandSpec { Name = "run", Summary = "Filter packets and serve the API (the default)", IsService = true, Run = RunDaemon },
            new CommandSpec
            {
                Name = "check",
                Summary = "Read configuration, client files and set files, and print every fault",
                Details = ["Warns of what this machine lacks, too: interfaces, folders and their permissions, free ports. It changes nothing, and needs no privilege beyond reading the files."],
                Arguments = [new ArgumentSpec("FILE", "The configuration, as with -c", ValueKind.File, Occurs.Optional)],
                Options = [FileOnly, OutputStyle.JsonOption],
                Examples = ["couic check", "couic check --file-only new.toml"],
                Run = Check,
            },
            ConfigCommand.Spec,
            CertificateCommand.Spec,
            new CommandSpec
            {
                Name = "detach",
                Summary = "Remove the filter that a daemon has left which is gone",
                Details =
                [
                    "Removes pinned links, and attachments of couic's programs that no process holds. It leaves alone what a running daemon or systemd "
                    + "holds, and programs of others. Needs root.",
                ],
                Examples = ["couic detach"],
                Run = invocation => DetachCommand.Run(invocation.Option(Config.Long), invocation.Out, invocation.Context.Error),
            },
            DemoMain.Spec,
            new CommandSpec
            {
                Name = "ctl",
                Summary = "The command line of a running daemon, also called couicctl",
                TakesRest = true,
                Run = invocation => CommandProgram.Run(CouicctlCommands.Root, Rest(invocation), invocation.Context),
            },
            new CommandSpec
            {
                Name = "report",
                Summary = "Receive reports and send summaries to a chat, also called couic-report",
                TakesRest = true,
                IsService = true,
                Run = invocation => CommandProgram.Run(ReceiverMain.Root, Rest(invocation), invocation.Context),
            },
            new CommandSpec { Name = "version", Summary = "Show the version", Run = PrintVersion },
        ],
        Examples = ["couic check -c /etc/couic/couic.toml", "couic demo"],
        IsService = true,
        Run = RunDaemon,
    };

    private static int PrintVersion(Invocation invocation)
    {
        invocation.Out.WriteLine(Root.VersionText);
        return ExitStatus.Success;
    }

    private static int RunDaemon(Invocation invocation) =>
        DaemonCommand.Run(invocation.Option(Config.Long), Environment.GetCommandLineArgs());

    private static int Check(Invocation invocation)
    {
        string? argument = invocation.Parsed.Arguments.FirstOrDefault();
        return argument is not null && invocation.Has(Config.Long)
            ? throw new UsageException("FILE and --config exclude each other")
            : CheckCommand.Run(invocation, argument ?? invocation.Option(Config.Long), invocation.Has(FileOnly.Long));
    }

    /// <summary>The words for the other program; <c>couic help ctl</c> is its help.</summary>
    private static string[] Rest(Invocation invocation) =>
        invocation.Parsed.Request == Request.Help ? ["help", .. invocation.Parsed.Arguments] : [.. invocation.Parsed.Arguments];
}
