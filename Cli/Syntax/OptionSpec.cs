namespace Couic.Cli.Syntax;

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
