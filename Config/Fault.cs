using System.Globalization;
using System.Text;

namespace Couic.Config;

/// <summary>Something wrong in a file, as it is shown: <c>file:line:column: what (hint)</c>.</summary>
/// <param name="Line">From 1; 0 when the fault is about the whole file.</param>
/// <param name="Column">In characters, from 1; 0 when only the line is known.</param>
public sealed record Fault(string File, int Line, int Column, string Message)
{
    private const int MaxMessageCharacters = 1_000;

    public Fault(string file, string message)
        : this(file, 0, 0, message)
    {
    }

    /// <summary>Fits on one line whatever it quotes: control characters are escaped, and what is too long is cut.</summary>
    public string Message { get; init; } = OneLine(Message);

    public override string ToString() => (Line, Column) switch
    {
        (0, _) => $"{File}: {Message}",
        (_, 0) => $"{File}:{Line}: {Message}",
        _ => $"{File}:{Line}:{Column}: {Message}",
    };

    private static string OneLine(string message)
    {
        var line = new StringBuilder();
        foreach (Rune rune in message.EnumerateRunes())
        {
            if (line.Length >= MaxMessageCharacters)
            {
                return line.Append('…').ToString();
            }

            _ = Rune.IsControl(rune) || rune.Value is 0x2028 or 0x2029 ? line.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}") : line.Append(rune);
        }

        return line.ToString();
    }
}
