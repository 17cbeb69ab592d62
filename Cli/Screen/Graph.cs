using Couic.Cli.Output;

namespace Couic.Cli.Screen;

/// <summary>A filled graph of values over time, newest on the right: 2 by 4 dots per cell in braille, or one value per cell in ASCII.</summary>
internal static class Graph
{
    /// <summary>Dots of a braille cell from the bottom up (Unicode U+2800): left column, right column.</summary>
    private static readonly int[][] Dots = [[0x40, 0x04, 0x02, 0x01], [0x80, 0x20, 0x10, 0x08]];

    private const string Levels = " .:|";

    /// <summary>How many values a graph of this width shows.</summary>
    public static int Values(int width, bool unicode) => unicode ? 2 * width : width;

    /// <summary>The lines of a graph, top first.</summary>
    /// <param name="values">NaN for a missing value.</param>
    /// <param name="top">The value at the upper edge.</param>
    public static string[] Draw(IReadOnlyList<double> values, int width, int height, double top, bool unicode)
    {
        int perCell = unicode ? 4 : Levels.Length - 1;
        int columns = Values(width, unicode);
        int[] levels = new int[columns];
        for (int i = 0; i < columns; i++)
        {
            int index = values.Count - columns + i;
            levels[i] = index < 0 ? 0 : Level(values[index], top, height * perCell);
        }

        var lines = new string[height];
        for (int row = 0; row < height; row++)
        {
            int below = (height - 1 - row) * perCell;
            lines[row] = string.Create(width, (levels, below), (text, state) =>
            {
                for (int cell = 0; cell < text.Length; cell++)
                {
                    text[cell] = unicode
                        ? Braille(state.levels[2 * cell] - state.below, state.levels[(2 * cell) + 1] - state.below)
                        : Levels[Math.Clamp(state.levels[cell] - state.below, 0, perCell)];
                }
            });
        }

        return lines;
    }

    /// <summary>The next number of the form 1, 2, 3 or 5 times a power of ten; at least 10.</summary>
    public static double Scale(double highest)
    {
        double power = 10;
        while (power * 10 < highest)
        {
            power *= 10;
        }

        foreach (double factor in (ReadOnlySpan<double>)[1, 2, 3, 5])
        {
            if (power * factor >= highest)
            {
                return power * factor;
            }
        }

        return power * 10;
    }

    /// <summary>A label of the axis: <c>10</c>, <c>500</c>, <c>20 k</c>.</summary>
    public static string Label(double value) => Quantity.Count(value).Replace(".0", "", StringComparison.Ordinal);

    private static int Level(double value, double top, int levels) =>
        double.IsNaN(value) || value <= 0 ? 0 : Math.Clamp((int)Math.Ceiling(value / top * levels), 1, levels);

    private static char Braille(int left, int right)
    {
        int cell = 0;
        for (int dot = 0; dot < 4; dot++)
        {
            cell |= (left > dot ? Dots[0][dot] : 0) | (right > dot ? Dots[1][dot] : 0);
        }

        return cell == 0 ? ' ' : (char)(0x2800 + cell);
    }
}
