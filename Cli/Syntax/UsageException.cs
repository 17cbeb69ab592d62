namespace Couic.Cli.Syntax;

/// <summary>A command line that cannot be run; every message is one line. Exit status 2.</summary>
internal sealed class UsageException(params IReadOnlyList<string> messages) : Exception(string.Join("; ", messages))
{
    public IReadOnlyList<string> Messages { get; } = messages;
}
