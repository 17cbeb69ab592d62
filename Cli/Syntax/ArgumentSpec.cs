namespace Couic.Cli.Syntax;

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
