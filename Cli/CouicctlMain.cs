using Couic.Cli.Commands;
using Couic.Cli.Output;
using Couic.Cli.Syntax;

namespace Couic.Cli;

/// <summary>The command line tool: parses, runs, and turns every failure into lines on standard error and a status.</summary>
internal static class CouicctlMain
{
    public const string Name = "couicctl";

    /// <summary>Runs on the streams of the process.</summary>
    /// <param name="args">The words behind the program's name.</param>
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
            status = Report(context, e.Messages, ExitStatus.Failure);
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

    /// <summary>What a failed command had printed before it failed still comes out.</summary>
    private static void TryFlush(CliContext context)
    {
        try
        {
            context.Flush();
        }
        catch (OutputException)
        {
            // The failure that was reported is the one that matters.
        }
    }
}
