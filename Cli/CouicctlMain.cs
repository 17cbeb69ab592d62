using System.Reflection;
using Couic.Cli.Commands;
using Couic.Cli.Output;
using Couic.Cli.Syntax;
using Couic.Store;

namespace Couic.Cli;

/// <summary>The command line tool: parses, runs, and reports every failure on standard error and by the exit status.</summary>
internal static class CouicctlMain
{
    public const string Name = "couicctl";

    /// <summary>Runs on the streams of the process.</summary>
    /// <param name="args">The arguments after the program's name.</param>
    /// <returns>An <see cref="ExitStatus"/>.</returns>
    public static int Run(string[] args) => Run(args, CliContext.OfProcess());

    /// <inheritdoc cref="Run(string[])"/>
    public static int Run(string[] args, CliContext context)
    {
        try
        {
            return RunAndReport(args, context);
        }
        catch (IOException)
        {
            return ExitStatus.Failure; // standard error is closed, so there is nowhere to say it
        }
    }

    private static int RunAndReport(string[] args, CliContext context)
    {
        int status;
        try
        {
            status = Dispatch(args, context);
            context.Flush();
            return status;
        }
        catch (UsageException e)
        {
            status = Report(context, e.Messages, ExitStatus.Usage);
        }
        catch (CliException e)
        {
            status = Report(context, e.Messages, e.ExitStatus);
        }
        catch (OutputException e)
        {
            return e.ReaderHasGone ? ExitStatus.Success
                : Report(context, [$"write standard output: {SystemErrors.Text(e.InnerException!)}"], ExitStatus.Failure);
        }
        catch (Exception e) when (e is not IOException)
        {
            status = Report(context, [$"internal error: {e.GetType().Name}: {e.Message} (please report it)"], ExitStatus.Failure);
        }

        TryFlush(context);
        return status;
    }

    private static int Dispatch(string[] args, CliContext context)
    {
        ParsedCommand parsed = CommandLineParser.Parse(CouicctlCommands.Root, args);
        switch (parsed.Request)
        {
            case Request.Help:
                context.Out.Write(HelpWriter.Write(parsed));
                return ExitStatus.Success;
            case Request.Version:
                context.Out.WriteLine($"{Name} {ProductVersion.Text}");
                return ExitStatus.Success;
            default:
                return parsed.Command.Run!(new Invocation(parsed, context));
        }
    }

    private static int Report(CliContext context, IReadOnlyList<string> messages, int status)
    {
        foreach (string message in messages)
        {
            context.Error.WriteLine($"{Name}: {message}");
        }

        return status;
    }

    /// <summary>Writes what the command had printed before it failed.</summary>
    private static void TryFlush(CliContext context)
    {
        try
        {
            context.Flush();
        }
        catch (OutputException)
        {
            // The failure reported first is the one that matters.
        }
    }
}

/// <summary>The command tree of couicctl: source of parser, help, completion and manual page.</summary>
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
            Export.Spec,
            Import.Spec,
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

/// <summary>Exit statuses.</summary>
internal static class ExitStatus
{
    public const int Success = 0;

    /// <summary>A failed command or a bad configuration.</summary>
    public const int Failure = 1;

    /// <summary>An invalid command line; no request was sent.</summary>
    public const int Usage = 2;

    /// <summary>The daemon cannot be reached or does not answer.</summary>
    public const int Unreachable = 3;

    /// <summary>The daemon, or the lock-out guard, refused the request.</summary>
    public const int Refused = 4;

    /// <summary>What was to be created exists already.</summary>
    public const int Present = 5;

    /// <summary>What was asked for, or was to be removed, does not exist.</summary>
    public const int Absent = 6;
}

/// <summary>A command that failed; every message is one line that says what to do.</summary>
internal sealed class CliException(params IReadOnlyList<string> messages) : Exception(string.Join("; ", messages))
{
    public IReadOnlyList<string> Messages { get; } = messages;

    public int ExitStatus { get; init; } = Cli.ExitStatus.Failure;
}

/// <summary>The version of the build.</summary>
internal static class ProductVersion
{
    /// <summary>MAJOR.MINOR.PATCH.</summary>
    public static string Text { get; } = typeof(ProductVersion).Assembly.GetName().Version!.ToString(3);
}
