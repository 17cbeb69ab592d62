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
