namespace Couic.CommandLine;

/// <summary>
/// A command and its subcommands. Parser, help, manual pages and shell completion are generated from this tree, so they cannot
/// disagree.
/// </summary>
internal sealed class CommandSpec
{
    public required string Name { get; init; }

    /// <summary>Other names that are accepted, but not shown.</summary>
    public string[] Aliases { get; init; } = [];

    /// <summary>One line without a full stop.</summary>
    public required string Summary { get; init; }

    /// <summary>Further paragraphs of help.</summary>
    public string[] Details { get; init; } = [];

    public ArgumentSpec[] Arguments { get; init; } = [];

    public OptionSpec[] Options { get; init; } = [];

    public CommandSpec[] Commands { get; init; } = [];

    /// <summary>Complete command lines.</summary>
    public string[] Examples { get; init; } = [];

    /// <summary>Whether help and completion omit it.</summary>
    public bool Hidden { get; init; }

    /// <summary>Whether all following words, options included, are its arguments: it starts another program.</summary>
    public bool TakesRest { get; init; }

    /// <summary>Whether it runs until it is stopped: an unexpected exception ends the process with its stack trace, for the log.</summary>
    public bool IsService { get; init; }

    /// <summary>What <c>--version</c> of a root prints.</summary>
    public string VersionText { get; init; } = "";

    /// <summary>Runs the command and returns the exit status; null for a group of commands.</summary>
    public Func<Invocation, int>? Run { get; init; }

    public CommandSpec? Find(string name) => Array.Find(Commands, c => c.Name == name || c.Aliases.Contains(name));

    /// <summary>The commands below this one, nearer levels first.</summary>
    public IEnumerable<(string Path, CommandSpec Command)> Below(string path) =>
        Commands.Where(c => !c.Hidden).Select(c => ($"{path} {c.Name}", c)).Concat(Commands.SelectMany(c => c.Below($"{path} {c.Name}")));
}

internal enum Occurs
{
    Once,
    Optional,
    AnyNumber,
    AtLeastOnce,
}

/// <summary>A positional argument.</summary>
/// <param name="Name">Its name in usage lines, upper case.</param>
/// <param name="Summary">One line of help, no full stop.</param>
internal sealed record ArgumentSpec(string Name, string Summary, ValueKind Kind = ValueKind.Text, Occurs Occurs = Occurs.Once)
{
    public bool Repeats => Occurs is Occurs.AnyNumber or Occurs.AtLeastOnce;

    /// <summary>The argument in a usage line.</summary>
    public string Usage => Occurs switch
    {
        Occurs.Once => Name,
        Occurs.Optional => $"[{Name}]",
        Occurs.AtLeastOnce => $"{Name}...",
        _ => $"[{Name}...]",
    };
}

/// <summary>One option of a command.</summary>
/// <param name="Long">Without the dashes.</param>
/// <param name="Short">The letter; 0 for none.</param>
/// <param name="ValueName">Null for a switch.</param>
/// <param name="Summary">One line of help, no full stop.</param>
internal sealed record OptionSpec(string Long, char Short, string? ValueName, string Summary)
{
    /// <summary>Other long names that are accepted, but not shown.</summary>
    public string[] Aliases { get; init; } = [];

    public bool Required { get; init; }

    /// <summary>Whether it may be given several times.</summary>
    public bool Repeats { get; init; }

    /// <summary>The default value, for the help text only.</summary>
    public string? Default { get; init; }

    /// <summary>Long name of an option that excludes this one.</summary>
    public string? NotWith { get; init; }

    public ValueKind Kind { get; init; }

    public bool TakesValue => ValueName is not null;

    /// <param name="shown">With its dashes.</param>
    public bool IsSpelled(string shown) => shown.StartsWith("--", StringComparison.Ordinal)
        ? shown[2..] == Long || Aliases.Contains(shown[2..])
        : Short != 0 && shown is ['-', var letter] && letter == Short;

    /// <summary><c>-t, --tag TAG</c>, aligned for options without a letter.</summary>
    public string Usage =>
        (Short == 0 ? "    " : $"-{Short}, ") + "--" + Long + (ValueName is null ? "" : " " + ValueName);
}

/// <summary>What a word means, so that shells can complete it.</summary>
internal enum ValueKind
{
    /// <summary>Free text without completion.</summary>
    Text,
    File,
    Policy,
    Group,
    Shell,
    SetName,
    ClientName,
    CommandPath,
    Tag,

    /// <summary>Patterns of tags, separated by commas.</summary>
    TagPatterns,
    Cidr,
    Peer,
    EntrySort,
    TagSort,
    OutputFormat,
    ColourMode,
}
