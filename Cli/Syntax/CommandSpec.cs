namespace Couic.Cli.Syntax;

/// <summary>
/// A command and what is below it. Parsing, help, man pages and shell completion all read this one tree, so that they
/// cannot disagree.
/// </summary>
internal sealed class CommandSpec
{
    public required string Name { get; init; }

    /// <summary>One line, no full stop.</summary>
    public required string Summary { get; init; }

    /// <summary>Further paragraphs of help, each one string; may be empty.</summary>
    public string[] Details { get; init; } = [];

    public ArgumentSpec[] Arguments { get; init; } = [];

    public OptionSpec[] Options { get; init; } = [];

    public CommandSpec[] Commands { get; init; } = [];

    /// <summary>Whole command lines.</summary>
    public string[] Examples { get; init; } = [];

    /// <summary>Left out of help and completion.</summary>
    public bool Hidden { get; init; }

    /// <summary>Does the work and returns the exit status; null for a command that only groups others.</summary>
    public Func<Invocation, int>? Run { get; init; }

    public CommandSpec? Find(string name) => Array.Find(Commands, c => c.Name == name);
}

internal enum Occurs
{
    Once,
    Optional,
    AnyNumber,
}

/// <summary>One positional word of a command.</summary>
/// <param name="Name">As it stands in usage lines, upper case.</param>
/// <param name="Summary">One line of help, no full stop.</param>
internal sealed record ArgumentSpec(string Name, string Summary, ValueKind Kind = ValueKind.Text, Occurs Occurs = Occurs.Once)
{
    /// <summary>How the argument shows in a usage line.</summary>
    public string Usage => Occurs switch
    {
        Occurs.Once => Name,
        Occurs.Optional => $"[{Name}]",
        _ => $"[{Name}...]",
    };
}

/// <summary>One option of a command.</summary>
/// <param name="Long">Without the dashes.</param>
/// <param name="Short">The letter, or 0 when there is none.</param>
/// <param name="ValueName">Null for a switch.</param>
/// <param name="Summary">One line of help, no full stop.</param>
internal sealed record OptionSpec(string Long, char Short, string? ValueName, string Summary)
{
    public bool Required { get; init; }

    /// <summary>What holds when the option is not given; only for the help text.</summary>
    public string? Default { get; init; }

    /// <summary>The long name of an option that must not be given together with this one.</summary>
    public string? NotWith { get; init; }

    public ValueKind Kind { get; init; }

    public bool TakesValue => ValueName is not null;

    /// <summary><c>-t, --tag TAG</c>, aligned as if there were always a letter.</summary>
    public string Usage =>
        (Short == 0 ? "    " : $"-{Short}, ") + "--" + Long + (ValueName is null ? "" : " " + ValueName);
}

/// <summary>What a word on the command line stands for, so that shells can complete it.</summary>
internal enum ValueKind
{
    /// <summary>Free text; nothing to complete.</summary>
    Text,
    File,
    Policy,
    Group,
    Shell,
    SetName,
    ClientName,
    CommandPath,
}
