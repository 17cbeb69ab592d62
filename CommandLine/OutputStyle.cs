namespace Couic.CommandLine;

internal enum OutputFormat
{
    /// <summary>For people: tables with frames.</summary>
    Table,

    /// <summary>For people and line tools: aligned columns without frames.</summary>
    Plain,

    /// <summary>For scripts: a header, then one line per row, with tabs between the values.</summary>
    Tsv,

    /// <summary>For scripts: the values of the API, indented.</summary>
    Json,
}

internal enum Colour
{
    None,
    Red,
    Green,
    Yellow,
}

/// <summary>How results are written.</summary>
/// <param name="Width">Columns of the terminal that shows the results; null for no terminal.</param>
/// <param name="HasColours">Whether results are coloured.</param>
/// <param name="HasErrorColours">Whether errors and notes are coloured.</param>
internal sealed record OutputStyle(OutputFormat Format, int? Width, bool HasColours, bool HasErrorColours)
{
    public static readonly OutputStyle Plain = new(OutputFormat.Plain, null, false, false);

    public static readonly string[] Formats = ["table", "plain", "tsv", "json"];

    public static readonly string[] ColourModes = ["auto", "always", "never"];

    public static readonly OptionSpec OutputOption =
        new("output", 'o', "FORMAT", "table, plain (no frames), tsv or json; without it, table on a terminal and plain elsewhere") { Kind = ValueKind.OutputFormat };

    public static readonly OptionSpec JsonOption = new("json", '\0', null, "The same as -o json; errors are JSON, too");

    public static readonly OptionSpec ColourOption = new("color", '\0', "WHEN", "auto, always or never") { Default = "auto", Kind = ValueKind.ColourMode };

    /// <summary>The options that choose a style.</summary>
    public static readonly OptionSpec[] Options = [OutputOption, JsonOption, ColourOption];

    /// <exception cref="UsageException">A value is unknown, or options contradict each other.</exception>
    public static OutputStyle Of(ParsedCommand parsed, CliContext context)
    {
        bool isTerminal = context.Terminal.OutputIsTerminal;
        OutputFormat format = isTerminal ? OutputFormat.Table : OutputFormat.Plain;
        if (parsed.Option(OutputOption.Long) is { } word)
        {
            int index = Array.IndexOf(Formats, word);
            format = index >= 0 ? (OutputFormat)index : throw Unknown(word, "an output format", Formats);
        }

        if (parsed.Has(JsonOption.Long))
        {
            format = !parsed.Has(OutputOption.Long) || format == OutputFormat.Json ? OutputFormat.Json : throw Exclusive("--json", "--output");
        }

        if (format == OutputFormat.Json && Array.Find(parsed.Command.Options, o => o.NotWith == JsonOption.Long && parsed.Has(o.Long)) is { } text)
        {
            throw Exclusive("--json", "--" + text.Long);
        }

        string mode = parsed.Option(ColourOption.Long) ?? "auto";
        return Array.IndexOf(ColourModes, mode) < 0 ? throw Unknown(mode, "a colour mode", ColourModes) : new OutputStyle(
            format,
            isTerminal ? Math.Max(context.Terminal.Width(), 1) : null,
            mode == "always" || (mode == "auto" && context.Decorates),
            mode == "always" || (mode == "auto" && context.Terminal.DecoratesError(context.Environment)));
    }

    /// <summary>Whether a command line asks for JSON, valid or not: its errors are JSON then.</summary>
    public static bool WantsJson(ReadOnlySpan<string> words)
    {
        for (int i = 0; i < words.Length && words[i] != "--"; i++)
        {
            if (words[i] is "--json" or "-ojson" or "-o=json" or "--output=json" || (words[i] == "json" && i > 0 && words[i - 1] is "-o" or "--output"))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Text for standard output.</summary>
    public string On(Colour colour, string text) => HasColours ? Paint(colour, text) : text;

    /// <summary>Text for standard error.</summary>
    public string OnError(Colour colour, string text) => HasErrorColours ? Paint(colour, text) : text;

    private static string Paint(Colour colour, string text) => colour switch
    {
        Colour.Red => $"\e[31m{text}\e[0m",
        Colour.Green => $"\e[32m{text}\e[0m",
        Colour.Yellow => $"\e[33m{text}\e[0m",
        _ => text,
    };

    private static UsageException Unknown(string word, string what, string[] known) =>
        new($"\"{(word.Length > 100 ? word[..100] + "…" : word)}\" is not {what}; expected one of {string.Join(", ", known)}");

    private static UsageException Exclusive(string one, string other) => new($"options \"{one}\" and \"{other}\" exclude each other");
}
