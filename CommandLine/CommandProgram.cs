using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Couic.CommandLine;

/// <summary>Runs a program by its command tree: parses, runs, and reports every failure on standard error and by the exit status.</summary>
internal static class CommandProgram
{
    private static readonly JsonWriterOptions JsonOptions =
        new() { Indented = true, IndentSize = 2, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Runs on the streams of the process.</summary>
    /// <param name="args">The arguments after the program's name.</param>
    /// <returns>An <see cref="ExitStatus"/>.</returns>
    public static int Run(CommandSpec root, string[] args) => Run(root, args, CliContext.OfProcess());

    /// <inheritdoc cref="Run(CommandSpec, string[])"/>
    public static int Run(CommandSpec root, string[] args, CliContext context)
    {
        CommandSpec? command = null;
        try
        {
            return RunAndReport(root, args, context, ref command);
        }
        catch (IOException) when (command is not { IsService: true })
        {
            return ExitStatus.Failure; // standard error is closed, so there is nowhere to say it
        }
    }

    private static int RunAndReport(CommandSpec root, string[] args, CliContext context, ref CommandSpec? command)
    {
        int status;
        try
        {
            status = Dispatch(root, args, context, ref command);
            context.Flush();
            foreach (string note in context.Notes)
            {
                context.Error.WriteLine($"{root.Name}: note: {note}");
            }

            context.Notes.Clear();
            return status;
        }
        catch (UsageException e)
        {
            status = Report(root, args, context, e.Messages, ExitStatus.Usage);
        }
        catch (CliException e)
        {
            status = Report(root, args, context, e.Messages, e.ExitStatus);
        }
        catch (OutputException e)
        {
            return e.ReaderHasGone ? ExitStatus.Success
                : Report(root, args, context, [$"write standard output: {SystemErrors.Text(e.InnerException!)}"], ExitStatus.Failure);
        }
        catch (Exception e) when (e is not IOException && command is not { IsService: true })
        {
            status = Report(root, args, context, [$"internal error: {e.GetType().Name}: {e.Message} (please report it)"], ExitStatus.Failure);
        }

        TryFlush(context);
        return status;
    }

    private static int Dispatch(CommandSpec root, string[] args, CliContext context, ref CommandSpec? command)
    {
        ParsedCommand parsed = CommandLineParser.Parse(root, args);
        command = parsed.Command;
        switch (parsed.Request)
        {
            case Request.Help when !command.TakesRest:
                context.Out.Write(HelpWriter.Write(parsed));
                return ExitStatus.Success;
            case Request.Version:
                context.Out.WriteLine(root.VersionText);
                return ExitStatus.Success;
            default:
                context.Style = OutputStyle.Of(parsed, context);
                return command.Run!(new Invocation(parsed, context));
        }
    }

    private static int Report(CommandSpec root, string[] args, CliContext context, IReadOnlyList<string> messages, int status)
    {
        if (context.Style.Format == OutputFormat.Json || OutputStyle.WantsJson(args))
        {
            context.Error.Write(ToJson(messages, status, context.Notes));
            return status;
        }

        foreach (string message in messages)
        {
            context.Error.WriteLine($"{context.Style.OnError(Colour.Red, root.Name + ":")} {message}");
        }

        return status;
    }

    /// <summary>One object: <c>error</c>, <c>hint</c>, <c>code</c>, <c>exit_status</c>; <c>errors</c> when there are several.</summary>
    private static string ToJson(IReadOnlyList<string> messages, int status, List<string> notes)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text, JsonOptions))
        {
            json.WriteStartObject();
            WriteMessage(json, messages[0]);
            json.WriteString("code"u8, ExitStatus.Name(status));
            json.WriteNumber("exit_status"u8, status);
            if (messages.Count > 1)
            {
                json.WriteStartArray("errors"u8);
                foreach (string message in messages)
                {
                    json.WriteStartObject();
                    WriteMessage(json, message);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
            }

            if (notes.Count > 0)
            {
                json.WriteStartArray("warnings"u8);
                foreach (string note in notes)
                {
                    json.WriteStringValue(note);
                }

                json.WriteEndArray();
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.ToArray()) + "\n";
    }

    private static void WriteMessage(Utf8JsonWriter json, string message)
    {
        (string text, string? hint) = SplitHint(message);
        json.WriteString("error"u8, text);
        if (hint is not null)
        {
            json.WriteString("hint"u8, hint);
        }
    }

    /// <summary>Messages have the form <c>action object: cause (hint)</c>; those of the parser end with <c>; see "…"</c>.</summary>
    private static (string Text, string? Hint) SplitHint(string message)
    {
        int see = message.LastIndexOf("; see \"", StringComparison.Ordinal);
        if (see > 0)
        {
            (string text, string? inner) = SplitHint(message[..see]);
            return (text, inner ?? message[(see + 2)..]);
        }

        int depth = 0;
        for (int i = message.Length - 1; i > 0 && message[^1] == ')'; i--)
        {
            depth += message[i] == ')' ? 1 : message[i] == '(' ? -1 : 0;
            if (depth == 0)
            {
                return message[i - 1] == ' ' ? (message[..(i - 1)], message[(i + 1)..^1]) : (message, null);
            }
        }

        return (message, null);
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

    /// <summary><c>why</c>: packets are dropped.</summary>
    public const int Dropped = 7;

    private static readonly string[] Names = ["success", "failed", "usage", "unreachable", "refused", "present", "absent", "dropped"];

    /// <summary>The status in one word, as JSON errors have it.</summary>
    public static string Name(int status) => Names[status];
}

/// <summary>A command that failed; every message is one line that says what to do.</summary>
internal sealed class CliException(params IReadOnlyList<string> messages) : Exception(string.Join("; ", messages))
{
    public IReadOnlyList<string> Messages { get; } = messages;

    public int ExitStatus { get; init; } = CommandLine.ExitStatus.Failure;
}

/// <summary>The version of the build.</summary>
internal static class ProductVersion
{
    /// <summary>MAJOR.MINOR.PATCH.</summary>
    public static string Text { get; } = typeof(ProductVersion).Assembly.GetName().Version!.ToString(3);
}
