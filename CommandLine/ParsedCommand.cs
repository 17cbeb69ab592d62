namespace Couic.CommandLine;

internal enum Request
{
    Run,
    Help,
    Version,
}

/// <summary>A parsed command line. Values are as typed; the command checks them.</summary>
internal sealed class ParsedCommand
{
    private readonly Dictionary<string, List<string>> _options = new(StringComparer.Ordinal);

    public ParsedCommand(CommandSpec root) => Path = [root];

    /// <summary>The path from the root to the command.</summary>
    public List<CommandSpec> Path { get; }

    public CommandSpec Command => Path[^1];

    /// <summary>The words of the path, starting with the program's name.</summary>
    public string PathText => string.Join(' ', Path.Select(c => c.Name));

    public Request Request { get; set; }

    public List<string> Arguments { get; } = [];

    /// <summary>The value of an option by its long name; null when it was not given.</summary>
    public string? Option(string name) => _options.GetValueOrDefault(name)?[0];

    /// <summary>All values of an option that may be given several times.</summary>
    public IReadOnlyList<string> Options(string name) => _options.GetValueOrDefault(name) ?? [];

    public bool Has(string name) => _options.ContainsKey(name);

    /// <summary>Returns false when the option is a duplicate.</summary>
    public bool TryAdd(OptionSpec option, string value)
    {
        if (_options.TryGetValue(option.Long, out List<string>? values) && option.Repeats)
        {
            values.Add(value);
            return true;
        }

        return _options.TryAdd(option.Long, [value]);
    }

    /// <summary>The options of the command and those it inherits.</summary>
    public IEnumerable<OptionSpec> KnownOptions => Path[0] == Command ? Command.Options : Command.Options.Concat(Path[0].Options);
}

/// <summary>A parsed command line and its environment.</summary>
internal sealed class Invocation(ParsedCommand parsed, CliContext context)
{
    public ParsedCommand Parsed { get; } = parsed;

    public CliContext Context { get; } = context;

    public TextWriter Out => Context.Out;

    /// <summary>A required argument by index.</summary>
    public string Argument(int index) => Parsed.Arguments[index];

    public string? Option(string name) => Parsed.Option(name);

    public IReadOnlyList<string> Options(string name) => Parsed.Options(name);

    public bool Has(string name) => Parsed.Has(name);

    /// <summary>Reports a failed part of a command; the JSON answer has it already.</summary>
    public void Complain(string text)
    {
        if (!IsJson)
        {
            Context.Error.WriteLine($"{Style.OnError(Colour.Red, Parsed.Path[0].Name + ":")} {text}");
        }
    }

    public OutputStyle Style => Context.Style;

    public bool IsJson => Style.Format == OutputFormat.Json;

    /// <summary>Reports something that the operator should know about a command that succeeds: on standard error, or in the JSON answer.</summary>
    public void Note(string text)
    {
        if (!IsJson)
        {
            Context.Error.WriteLine($"{Style.OnError(Colour.Yellow, $"{Parsed.Path[0].Name}: note:")} {text}");
        }
        else if (!Context.Notes.Contains(text))
        {
            Context.Notes.Add(text);
        }
    }
}

/// <summary>An invalid command line; every message is one line. Exit status 2.</summary>
internal sealed class UsageException(params IReadOnlyList<string> messages) : Exception(string.Join("; ", messages))
{
    public IReadOnlyList<string> Messages { get; } = messages;
}
