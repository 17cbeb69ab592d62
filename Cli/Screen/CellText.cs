using System.Globalization;
using System.Text;

namespace Couic.Cli.Screen;

/// <summary>Text in cells of a terminal: what it may contain, and how wide it is.</summary>
internal static class CellText
{
    /// <summary>
    /// Makes foreign text safe for one line: characters that move the cursor, reorder the line or have no known width become
    /// <c>?</c>, combining marks are dropped. Without Unicode, everything but printable ASCII becomes <c>?</c>.
    /// </summary>
    public static string Clean(string text, bool unicode)
    {
        bool isPlain = true;
        foreach (char c in text)
        {
            isPlain &= c is >= ' ' and <= '~';
        }

        if (isPlain)
        {
            return text;
        }

        var safe = new StringBuilder();
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (unicode && IsMark(rune))
            {
                continue;
            }

            safe.Append(IsSafe(rune, unicode) ? rune.ToString() : "?");
        }

        return safe.ToString();
    }

    /// <summary>Cells of clean text.</summary>
    public static int Width(string text)
    {
        int cells = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            cells += Width(rune);
        }

        return cells;
    }

    /// <summary>As much of clean text as fits; the last cell is a mark where something is missing.</summary>
    public static string Clip(string text, int cells, bool unicode)
    {
        if (Width(text) <= cells)
        {
            return text;
        }

        var kept = new StringBuilder();
        int used = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (used + Width(rune) > cells - 1)
            {
                break;
            }

            kept.Append(rune.ToString());
            used += Width(rune);
        }

        return cells <= 0 ? "" : kept.Append(unicode ? '…' : '~').ToString();
    }

    /// <summary>Two for the blocks that Unicode's EastAsianWidth.txt calls wide, and for pictures.</summary>
    private static int Width(Rune rune) => rune.Value switch
    {
        < 0x1100 => 1,
        <= 0x115f or (>= 0x2e80 and <= 0xa4cf) or (>= 0xac00 and <= 0xd7a3) or (>= 0xf900 and <= 0xfaff) => 2,
        (>= 0xfe30 and <= 0xfe6f) or (>= 0xff00 and <= 0xff60) or (>= 0xffe0 and <= 0xffe6) => 2,
        (>= 0x1f300 and <= 0x1faff) or (>= 0x20000 and <= 0x3fffd) => 2,
        _ => 1,
    };

    private static bool IsMark(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark;

    private static bool IsSafe(Rune rune, bool unicode)
    {
        if (rune.Value is >= ' ' and <= '~')
        {
            return true;
        }

        bool isRightToLeft = rune.Value is (>= 0x590 and <= 0x8ff) or (>= 0xfb1d and <= 0xfdff) or (>= 0xfe70 and <= 0xfeff)
            or (>= 0x10800 and <= 0x10fff) or (>= 0x1e800 and <= 0x1efff);
        return unicode && !isRightToLeft && Rune.GetUnicodeCategory(rune) is not (
            UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse
            or UnicodeCategory.OtherNotAssigned or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.SpacingCombiningMark);
    }
}
