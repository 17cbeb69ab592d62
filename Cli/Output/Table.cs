using System.Globalization;
using System.Text;
using Couic.Api.Contracts;
using Couic.Cli.Api;
using Couic.Cli.Values;
using Couic.Store;

namespace Couic.Cli.Output;

/// <summary>
/// Tables: cells left-aligned with a space on each side, columns as wide as their widest cell. Rows are enumerated twice
/// instead of stored as text, so that a quarter of a million of them need no memory.
/// </summary>
internal static class Table
{
    /// <param name="cell">The text of a cell; must return the same text each time.</param>
    public static void Write<T>(TextWriter output, string[] headers, IEnumerable<T> rows, Func<T, int, string> cell)
    {
        int[] widths = Array.ConvertAll(headers, h => h.Length);
        foreach (T row in rows)
        {
            for (int i = 0; i < widths.Length; i++)
            {
                widths[i] = Math.Max(widths[i], cell(row, i).Length);
            }
        }

        Rule(output, widths, '┌', '─', '┬', '┐');
        Line(output, widths, headers, static (h, i) => h[i]);
        Rule(output, widths, '╞', '═', '╪', '╡');
        bool first = true;
        foreach (T row in rows)
        {
            if (!first)
            {
                Rule(output, widths, '├', '╌', '┼', '┤');
            }

            Line(output, widths, row, cell);
            first = false;
        }

        Rule(output, widths, '└', '─', '┴', '┘');
    }

    private static void Rule(TextWriter output, int[] widths, char left, char line, char cross, char right)
    {
        output.Write(left);
        for (int i = 0; i < widths.Length; i++)
        {
            if (i > 0)
            {
                output.Write(cross);
            }

            Repeat(output, line, widths[i] + 2);
        }

        output.Write(right);
        output.Write('\n');
    }

    private static void Line<T>(TextWriter output, int[] widths, T row, Func<T, int, string> cell)
    {
        for (int i = 0; i < widths.Length; i++)
        {
            string text = cell(row, i);
            output.Write(i == 0 ? "│ " : "┆ ");
            output.Write(text);
            Repeat(output, ' ', widths[i] - text.Length + 1);
        }

        output.Write("│\n");
    }

    private static void Repeat(TextWriter output, char c, int count)
    {
        for (int i = 0; i < count; i++)
        {
            output.Write(c);
        }
    }
}

/// <summary>Compact rows of a table of entries: 48 bytes each, and the text of each tag and reason once.</summary>
internal sealed class EntryRows
{
    private static readonly string[] Headers = ["Policy", "CIDR", "Tag", "Expiration"];

    private readonly List<Row> _rows = [];
    private readonly List<string> _texts = [""];
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal) { [""] = 0 };
    private bool _hasReasons;

    public void Add(in EntryLine entry)
    {
        _rows.Add(new Row(entry.Cidr, entry.Expiration, Number(entry.Tag), Number(entry.Reason)));
        _hasReasons |= !entry.Reason.IsEmpty;
    }

    /// <summary>Prints the table, with reasons if there are any; remaining times count from now.</summary>
    public void Write(TextWriter output, Policy policy, DateTimeOffset now)
    {
        string name = policy.Name();
        Table.Write(output, _hasReasons ? [.. Headers, "Reason"] : Headers, _rows, (row, column) => column switch
        {
            0 => name,
            1 => row.Cidr.ToString(),
            2 => _texts[row.Tag],
            4 => _texts[row.Reason],
            _ => ExpirationCell.Format(row.Expiration, now),
        });
    }

    private int Number(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty)
        {
            return 0;
        }

        Span<char> text = stackalloc char[256];
        if (utf8.Length > text.Length)
        {
            throw new System.Text.Json.JsonException();
        }

        ReadOnlySpan<char> key = text[..Encoding.UTF8.GetChars(utf8, text)];
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> numbers = _numbers.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!numbers.TryGetValue(key, out int number))
        {
            number = _texts.Count;
            _texts.Add(Printable.Escape(key.ToString()));
            _numbers.Add(key.ToString(), number);
        }

        return number;
    }

    private readonly record struct Row(Cidr Cidr, ulong Expiration, int Tag, int Reason);
}

/// <summary>An entry that covers an address.</summary>
/// <param name="Json">The entry as the API sent it.</param>
internal sealed record CoveringEntry(Policy Policy, Cidr Cidr, EntryRecord Entry, byte[] Json);

/// <summary>The table of <c>why</c>; empty columns are omitted.</summary>
internal static class CoveringTable
{
    private sealed record Column(string Header, Func<CoveringEntry, string> Cell);

    /// <param name="entries">The first one decides the verdict.</param>
    public static void Write(TextWriter output, IReadOnlyList<CoveringEntry> entries, DateTimeOffset now)
    {
        ulong second = (ulong)now.ToUnixTimeSeconds();
        Column[] columns =
        [
            new("Policy", e => e.Policy.Name()),
            new("CIDR", e => e.Cidr.ToString()),
            new("Decides", e => ReferenceEquals(e, entries[0]) ? "yes" : "no"),
            new("Tag", e => Printable.Escape(e.Entry.Tag ?? "")),
            new("Expiration", e => ExpirationCell.Format(e.Entry.Expiration, now)),
            new("Added", e => Ago.Text(e.Entry.Creation, second)),
            new("Added by", e => Printable.Escape(e.Entry.AddedBy ?? "")),
            new("Packets", e => e.Entry.Packets?.ToString(CultureInfo.InvariantCulture) ?? ""),
            new("Last hit", e => e.Entry.LastHit is { } hit ? hit == 0 ? "never" : Ago.Text(hit, second) : ""),
            new("Reason", e => Printable.Escape(e.Entry.Reason ?? "")),
        ];
        columns = Array.FindAll(columns, c => c.Header == "Tag" || entries.Any(e => c.Cell(e).Length > 0));
        Table.Write(output, Array.ConvertAll(columns, c => c.Header), entries, (entry, i) => columns[i].Cell(entry));
    }
}
