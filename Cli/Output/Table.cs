using System.Text;
using Couic.Cli.Api;
using Couic.Cli.Values;
using Couic.CommandLine;
using Couic.Store;

namespace Couic.Cli.Output;

/// <summary>A column of a table.</summary>
/// <param name="Cell">The text of a cell; must return the same text each time.</param>
internal sealed record Column<T>(string Header, Func<T, string> Cell)
{
    /// <summary>Whether a narrow terminal may shorten it: free text, never a network or a number.</summary>
    public bool IsText { get; init; }

    /// <summary>Whether it is aligned to the right.</summary>
    public bool IsNumber { get; init; }

    /// <summary>The order in which a terminal that is too narrow for all columns drops them, lowest first; 0 for never.</summary>
    public int Drop { get; init; }

    /// <summary>The value for scripts, where it differs from the text.</summary>
    public Func<T, string>? Exact { get; init; }

    public Func<T, Colour>? Paint { get; init; }
}

/// <summary>
/// Tables in the three formats for text. Columns are as wide as their widest cell, or fitted to the terminal. Rows are enumerated
/// twice instead of stored as text, so that a quarter of a million of them need no memory.
/// </summary>
internal static class Table
{
    /// <summary>Columns to which a narrow terminal shortens text at most.</summary>
    private const int ShortestText = 8;

    public static void Write<T>(Invocation invocation, IEnumerable<T> rows, params Column<T>[] columns)
    {
        TextWriter output = invocation.Out;
        OutputStyle style = invocation.Style;
        if (style.Format == OutputFormat.Tsv)
        {
            WriteTsv(output, rows, columns);
            return;
        }

        bool hasFrame = style.Format == OutputFormat.Table;
        int[] widths = Array.ConvertAll(columns, c => c.Header.Length);
        foreach (T row in rows)
        {
            for (int i = 0; i < widths.Length; i++)
            {
                widths[i] = Math.Max(widths[i], Text(columns[i], row, hasFrame).Length);
            }
        }

        if (style.Width is { } width)
        {
            Fit(ref columns, ref widths, width, hasFrame);
        }

        if (hasFrame)
        {
            WriteFramed(output, style, rows, columns, widths);
        }
        else
        {
            WritePlain(output, style, rows, columns, widths);
        }
    }

    /// <summary>An empty cell would shift the fields of a line; a frame shows where it is.</summary>
    private static string Text<T>(Column<T> column, T row, bool hasFrame) => column.Cell(row) is { Length: > 0 } text || hasFrame ? column.Cell(row) : "-";

    /// <summary>Shortens the widest texts first; drops columns when that is not enough.</summary>
    private static void Fit<T>(ref Column<T>[] columns, ref int[] widths, int available, bool hasFrame)
    {
        while (true)
        {
            int[] fitted = [.. widths];
            int excess = fitted.Sum() + (hasFrame ? (3 * fitted.Length) + 1 : 2 * (fitted.Length - 1)) - available;
            while (excess > 0 && WidestText(columns, fitted) is >= 0 and int widest)
            {
                fitted[widest]--;
                excess--;
            }

            int drop = excess <= 0 ? -1 : NextToDrop(columns);
            if (drop < 0)
            {
                widths = fitted;
                return;
            }

            columns = [.. columns[..drop], .. columns[(drop + 1)..]];
            widths = [.. widths[..drop], .. widths[(drop + 1)..]];
        }
    }

    private static int WidestText<T>(Column<T>[] columns, int[] widths)
    {
        int widest = -1;
        for (int i = 0; i < columns.Length; i++)
        {
            bool canShrink = columns[i].IsText && widths[i] > Math.Max(ShortestText, columns[i].Header.Length);
            widest = canShrink && (widest < 0 || widths[i] > widths[widest]) ? i : widest;
        }

        return widest;
    }

    private static int NextToDrop<T>(Column<T>[] columns)
    {
        int next = -1;
        for (int i = 0; i < columns.Length; i++)
        {
            next = columns[i].Drop > 0 && (next < 0 || columns[i].Drop < columns[next].Drop) ? i : next;
        }

        return next;
    }

    private static void WriteTsv<T>(TextWriter output, IEnumerable<T> rows, Column<T>[] columns)
    {
        output.WriteLine(string.Join('\t', columns.Select(c => c.Header.ToLowerInvariant().Replace(' ', '_'))));
        foreach (T row in rows)
        {
            for (int i = 0; i < columns.Length; i++)
            {
                output.Write(i == 0 ? "" : "\t");
                output.Write((columns[i].Exact ?? columns[i].Cell)(row));
            }

            output.Write('\n');
        }
    }

    private static void WritePlain<T>(TextWriter output, OutputStyle style, IEnumerable<T> rows, Column<T>[] columns, int[] widths)
    {
        for (int i = 0; i < columns.Length; i++)
        {
            WriteCell(output, i == 0 ? "" : "  ", columns[i].Header, widths[i], isNumber: false, isLast: i == columns.Length - 1);
        }

        output.Write('\n');
        foreach (T row in rows)
        {
            for (int i = 0; i < columns.Length; i++)
            {
                string text = Text(columns[i], row, hasFrame: false);
                WriteCell(output, i == 0 ? "" : "  ", text, widths[i], columns[i].IsNumber, i == columns.Length - 1, style, columns[i].Paint?.Invoke(row) ?? Colour.None);
            }

            output.Write('\n');
        }
    }

    private static void WriteFramed<T>(TextWriter output, OutputStyle style, IEnumerable<T> rows, Column<T>[] columns, int[] widths)
    {
        Rule(output, widths, '┌', '─', '┬', '┐');
        for (int i = 0; i < columns.Length; i++)
        {
            WriteCell(output, i == 0 ? "│ " : " ┆ ", columns[i].Header, widths[i], isNumber: false);
        }

        output.Write(" │\n");
        Rule(output, widths, '╞', '═', '╪', '╡');
        bool isFirst = true;
        foreach (T row in rows)
        {
            if (!isFirst)
            {
                Rule(output, widths, '├', '╌', '┼', '┤');
            }

            isFirst = false;
            for (int i = 0; i < columns.Length; i++)
            {
                WriteCell(output, i == 0 ? "│ " : " ┆ ", columns[i].Cell(row), widths[i], columns[i].IsNumber, false, style, columns[i].Paint?.Invoke(row) ?? Colour.None);
            }

            output.Write(" │\n");
        }

        Rule(output, widths, '└', '─', '┴', '┘');
    }

    /// <param name="isLast">Whether nothing follows on the line, so that it needs no padding.</param>
    private static void WriteCell(
        TextWriter output, string before, string text, int width, bool isNumber, bool isLast = false, OutputStyle? style = null, Colour colour = Colour.None)
    {
        text = text.Length <= width ? text : string.Concat(text.AsSpan(0, width - 1), "…");
        output.Write(before);
        Repeat(output, ' ', isNumber ? width - text.Length : 0);
        output.Write(style?.On(colour, text) ?? text);
        Repeat(output, ' ', isNumber || isLast ? 0 : width - text.Length);
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
    private readonly List<Row> _rows = [];
    private readonly List<string> _texts = [""];
    private readonly Dictionary<string, int> _numbers = new(StringComparer.Ordinal) { [""] = 0 };
    private bool _hasReasons;

    public int Count => _rows.Count;

    public void Add(in EntryLine entry)
    {
        int claims = entry.ReadClaims().Length;
        _rows.Add(new Row(entry.Cidr, entry.Expiration, Number(entry.Tag), Number(entry.Reason), (byte)Math.Clamp(claims - 1, 0, byte.MaxValue)));
        _hasReasons |= !entry.Reason.IsEmpty;
    }

    /// <summary>Prints the table, with reasons if there are any; remaining times count from now.</summary>
    public void Write(Invocation invocation, Policy policy, DateTimeOffset now)
    {
        string name = policy.Name();
        Column<Row>[] columns =
        [
            new("Policy", _ => name) { Drop = 1 },
            new("CIDR", row => row.Cidr.ToString()),
            new("Tag", row => ClaimTable.TagCell(_texts[row.Tag], row.MoreClaims)) { IsText = true, Exact = row => _texts[row.Tag] },
            new("Expiration", row => ExpirationCell.Format(row.Expiration, now)) { Exact = row => PointInTime.Text(row.Expiration), Drop = 3 },
            new("Reason", row => _texts[row.Reason]) { IsText = true, Drop = 2 },
        ];
        Table.Write(invocation, _rows, _hasReasons || invocation.Style.Format == OutputFormat.Tsv ? columns : columns[..^1]);
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

    private readonly record struct Row(Cidr Cidr, ulong Expiration, int Tag, int Reason, byte MoreClaims);
}
