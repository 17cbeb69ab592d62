using Couic.Native;

namespace Couic.Cli.Output;

/// <summary>What the streams are connected to.</summary>
/// <param name="OutputIsTerminal">Standard output.</param>
/// <param name="ErrorIsTerminal">Standard error.</param>
/// <param name="Width">Columns, as of now.</param>
internal sealed record Terminal(bool OutputIsTerminal, bool ErrorIsTerminal, Func<int> Width)
{
    /// <summary>No terminal anywhere, as in a pipe.</summary>
    public static readonly Terminal None = new(false, false, static () => 80);

    public static Terminal OfProcess() =>
        new(!Console.IsOutputRedirected, !Console.IsErrorRedirected, static () => StandardStream.Output.Columns ?? 80);

    /// <summary>Whether colour and cursor movement may go to standard output (https://no-color.org).</summary>
    public bool Decorates(Func<string, string?> environment) => OutputIsTerminal && IsWanted(environment);

    /// <inheritdoc cref="Decorates"/>
    public bool DecoratesError(Func<string, string?> environment) => ErrorIsTerminal && IsWanted(environment);

    private static bool IsWanted(Func<string, string?> environment) =>
        string.IsNullOrEmpty(environment("NO_COLOR")) && environment("TERM") is not "dumb";
}
