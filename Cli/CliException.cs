namespace Couic.Cli;

/// <summary>A command that failed; every message is one line that says what to do. Exit status 1.</summary>
internal sealed class CliException(params IReadOnlyList<string> messages) : Exception(string.Join("; ", messages))
{
    public IReadOnlyList<string> Messages { get; } = messages;

    /// <summary>The status of the answer that said no; 0 where there was none.</summary>
    public int Status { get; init; }
}
