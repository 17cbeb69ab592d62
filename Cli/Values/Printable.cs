using System.Globalization;
using System.Text;

namespace Couic.Cli.Values;

/// <summary>Makes foreign text safe for one line of a terminal.</summary>
internal static class Printable
{
    private const int MaxQuoted = 100;

    /// <summary>The text with control characters as <c>\xNN</c>, truncated when very long.</summary>
    public static string Quote(string text) => Escape(text.Length <= MaxQuoted ? text : text[..MaxQuoted] + "…");

    /// <summary>The text with control characters, which could move the cursor or break the line, shown as <c>\xNN</c>.</summary>
    public static string Escape(string text)
    {
        if (!text.Any(IsUnsafe))
        {
            return text;
        }

        var safe = new StringBuilder();
        foreach (char c in text)
        {
            if (IsUnsafe(c))
            {
                safe.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}");
            }
            else
            {
                safe.Append(c);
            }
        }

        return safe.ToString();
    }

    private static bool IsUnsafe(char c) => char.IsControl(c) || c is '\u2028' or '\u2029' or (>= '\u202a' and <= '\u202e');
}
