namespace Couic.Cli.Output;

/// <summary>
/// Tables of couicctl: cells left-aligned with one space on each side, columns as wide as their widest cell. Rows are
/// walked twice instead of being kept as text, so that a quarter of a million of them cost no memory.
/// </summary>
internal static class Table
{
    /// <param name="cell">The text of a row's column; must give the same text each time.</param>
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
