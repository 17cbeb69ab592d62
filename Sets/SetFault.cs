using System.Globalization;
using System.Text;
using Couic.Store;

namespace Couic.Sets;

/// <summary>What is wrong with a set file.</summary>
/// <param name="File">Its path; empty where the caller knows it.</param>
/// <param name="Line">From 1; 0 when it is about the whole file.</param>
/// <param name="Text">The line, cut short and made printable; empty for the whole file.</param>
public sealed record SetFault(string File, int Line, string Text, string Message)
{
    /// <summary>Characters of a line that are shown.</summary>
    private const int MaxShown = 80;

    public static SetFault OfLine(int line, ReadOnlySpan<byte> text, CidrFault fault)
    {
        string hint = text.StartsWith("\uFEFF"u8) ? " (the file starts with a byte order mark; save it without)" : string.Empty;
        if (fault == CidrFault.StrayHostBits && Cidr.TryParse(text, out Cidr cidr) == CidrFault.None)
        {
            hint = $"; it would cover {cidr.Network}";
        }

        return new SetFault(string.Empty, line, Printable(text), fault.Explain() + hint);
    }

    /// <summary><c>FILE:LINE: "TEXT": MESSAGE</c>.</summary>
    public override string ToString()
    {
        string place = Line == 0 ? File : string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}");
        return Line == 0 ? $"{place}: {Message}" : $"{place}: \"{Text}\": {Message}";
    }

    /// <summary>The same without the line's text, for those who may not read the file.</summary>
    public string WithoutText() =>
        Line == 0 ? ToString() : string.Create(CultureInfo.InvariantCulture, $"{File}:{Line}: {Message}");

    private static string Printable(ReadOnlySpan<byte> text)
    {
        var shown = new StringBuilder();
        foreach (Rune rune in Encoding.UTF8.GetString(text[..Math.Min(text.Length, MaxShown * 4)]).EnumerateRunes())
        {
            if (shown.Length >= MaxShown)
            {
                return shown.Append('…').ToString();
            }

            bool plain = Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
            shown.Append(plain ? rune.ToString() : string.Create(CultureInfo.InvariantCulture, $"\\u{{{rune.Value:x}}}"));
        }

        return shown.ToString();
    }
}
