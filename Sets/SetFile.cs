using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Couic.Store;

namespace Couic.Sets;

/// <summary>The text of a set file: reading, checking and writing it.</summary>
public static class SetFile
{
    public const string Suffix = TagRule.SetSuffix;

    /// <summary>Reported faults per file: 12 MiB of nonsense are 6 million lines.</summary>
    public const int MaxFaults = 10_000;

    /// <summary>Whether the bytes are text at all (UTF-8).</summary>
    public static bool IsText(ReadOnlySpan<byte> content) => Utf8.IsValid(content);

    /// <summary>Lines that are neither blank nor comments, valid or not.</summary>
    public static int CountLines(ReadOnlySpan<byte> content)
    {
        var reader = new SetReader(content);
        int count = 0;
        while (reader.Next())
        {
            count++;
        }

        return count;
    }

    /// <summary>Reads all entries in their order, host bits and duplicates kept.</summary>
    /// <param name="faults">The lines that are not a CIDR, at most <see cref="MaxFaults"/> of them; empty when all are good.</param>
    public static List<Cidr> Read(ReadOnlySpan<byte> content, out List<SetFault> faults)
    {
        var entries = new List<Cidr>();
        faults = [];
        var reader = new SetReader(content);
        while (reader.Next())
        {
            CidrFault fault = reader.TryParse(out Cidr cidr);
            if (fault == CidrFault.None)
            {
                entries.Add(cidr);
            }
            else if (faults.Count < MaxFaults)
            {
                faults.Add(SetFault.OfLine(reader.Line, reader.Text, fault));
            }
        }

        return entries;
    }

    /// <summary>The lines that are not a CIDR, at most <see cref="MaxFaults"/> of them.</summary>
    public static List<SetFault> FindFaults(ReadOnlySpan<byte> content)
    {
        var faults = new List<SetFault>();
        var reader = new SetReader(content);
        while (reader.Next() && faults.Count < MaxFaults)
        {
            CidrFault fault = reader.TryParse(out _);
            if (fault != CidrFault.None)
            {
                faults.Add(SetFault.OfLine(reader.Line, reader.Text, fault));
            }
        }

        return faults;
    }

    /// <summary>The number of the first line that is not UTF-8, from 1; 0 when there is none.</summary>
    public static int FindBadText(ReadOnlySpan<byte> content)
    {
        for (int line = 1; !content.IsEmpty; line++)
        {
            int end = content.IndexOf((byte)'\n');
            if (!Utf8.IsValid(end < 0 ? content : content[..end]))
            {
                return line;
            }

            content = end < 0 ? default : content[(end + 1)..];
        }

        return 0;
    }

    /// <summary>Writes one CIDR per line, with a line end after the last.</summary>
    public static byte[] Format(ReadOnlySpan<Cidr> entries)
    {
        long length = 0;
        Span<byte> line = stackalloc byte[Cidr.MaxTextLength];
        foreach (Cidr entry in entries)
        {
            length += entry.Format(line) + 1;
        }

        var text = new byte[length];
        Span<byte> rest = text;
        foreach (Cidr entry in entries)
        {
            int written = entry.Format(line);
            line[..written].CopyTo(rest);
            rest[written] = (byte)'\n';
            rest = rest[(written + 1)..];
        }

        return text;
    }
}

/// <summary>
/// Iterates over a set file's lines: one CIDR per line, LF or CRLF, blanks at both ends trimmed, blank lines and <c>#</c> lines
/// skipped, except that <c># reason: TEXT</c> states why the lines after it are there. Keeps no copy, allocates nothing, never throws.
/// </summary>
/// <param name="content">The whole file; see <see cref="SetFile.IsText"/>.</param>
public ref struct SetReader(ReadOnlySpan<byte> content)
{
    private ReadOnlySpan<byte> _rest = content;

    /// <summary>The number of the current line in the file, from 1.</summary>
    public int Line { get; private set; }

    /// <summary>The current line without the blanks around it.</summary>
    public ReadOnlySpan<byte> Text { get; private set; }

    /// <summary>The reason of the current line, valid by <see cref="ReasonRule"/>; empty for none.</summary>
    public ReadOnlySpan<byte> Reason { get; private set; }

    /// <summary>Bytes after the current line.</summary>
    public readonly int Remaining => _rest.Length;

    /// <summary>Moves to the next line that is neither blank nor a comment; false at the end.</summary>
    public bool Next()
    {
        while (!_rest.IsEmpty)
        {
            Line++;
            int end = _rest.IndexOf((byte)'\n');
            ReadOnlySpan<byte> text = end < 0 ? _rest : _rest[..end];
            _rest = end < 0 ? default : _rest[(end + 1)..];
            text = text.Trim(" \t\r\v\f"u8);
            if (!text.IsEmpty && text[0] != '#')
            {
                Text = text;
                return true;
            }

            ReadReason(text);
        }

        return false;
    }

    /// <summary>A comment with an invalid reason ends the reason before it. It is not a fault: older files may hold any comment.</summary>
    private void ReadReason(ReadOnlySpan<byte> comment)
    {
        comment = comment.IsEmpty ? comment : comment[1..].TrimStart(" \t"u8);
        if (comment.StartsWith("reason:"u8))
        {
            ReadOnlySpan<byte> reason = comment["reason:".Length..].Trim(" \t"u8);
            Reason = ReasonRule.Fault(reason) is null ? reason : default;
        }
    }

    /// <summary>Parses the current line as a CIDR; host bits are kept, and are a fault below a short prefix.</summary>
    public readonly CidrFault TryParse(out Cidr cidr)
    {
        CidrFault fault = Cidr.TryParse(Text, out cidr);
        return fault == CidrFault.None && cidr.HasStrayHostBits ? CidrFault.StrayHostBits : fault;
    }
}

/// <summary>What is wrong with a set file.</summary>
/// <param name="File">Its path; empty where the caller knows it.</param>
/// <param name="Line">From 1; 0 when it concerns the whole file.</param>
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

    /// <summary>The same without the line's text, for clients that may not read the file.</summary>
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
