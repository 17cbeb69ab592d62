namespace Couic.Cli.Syntax;

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

    /// <summary>Runs the command and returns the exit status; null for a group of commands.</summary>
    public Func<Invocation, int>? Run { get; init; }

    public CommandSpec? Find(string name) => Array.Find(Commands, c => c.Name == name || c.Aliases.Contains(name));
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
    public bool Required { get; init; }

    /// <summary>The default value, for the help text only.</summary>
    public string? Default { get; init; }

    /// <summary>Long name of an option that excludes this one.</summary>
    public string? NotWith { get; init; }

    public ValueKind Kind { get; init; }

    public bool TakesValue => ValueName is not null;

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
    Cidr,
    EntrySort,
    TagSort,
}
