using System.Text;

namespace Couic.Cli.Screen;

internal enum TextStyle : byte
{
    Plain,
    Bold,
    Dim,

    /// <summary>Reversed, as titles and the status bar are.</summary>
    Bar,
    Good,
    Bad,
}

/// <summary>One line of a frame: styled text that never exceeds the width of the screen.</summary>
internal sealed class ScreenLine(int width, bool unicode)
{
    private readonly List<(string Text, TextStyle Style)> _runs = [];

    public int Used { get; private set; }

    public int Left => width - Used;

    /// <summary>The text without styles.</summary>
    public string Text => string.Concat(_runs.Select(run => run.Text));

    /// <summary>Appends what fits; the last cell is a mark where something is missing.</summary>
    public ScreenLine Add(string text, TextStyle style = TextStyle.Plain) => AddCells(text, Math.Min(Left, CellText.Width(CellText.Clean(text, unicode))), style);

    /// <summary>Appends exactly so many cells, as far as they fit: clipped, or padded.</summary>
    public ScreenLine AddCells(string content, int cells, TextStyle style = TextStyle.Plain, bool right = false)
    {
        cells = Math.Min(cells, Left);
        if (cells <= 0)
        {
            return this;
        }

        string shown = CellText.Clip(CellText.Clean(content, unicode), cells, unicode);
        string blanks = new(' ', cells - CellText.Width(shown));
        string text = right ? blanks + shown : shown + blanks;
        if (_runs.Count > 0 && _runs[^1].Style == style)
        {
            _runs[^1] = (_runs[^1].Text + text, style);
        }
        else
        {
            _runs.Add((text, style));
        }

        Used += cells;
        return this;
    }

    /// <summary>Appends blanks up to a column.</summary>
    public ScreenLine To(int column, TextStyle style = TextStyle.Plain) => AddCells("", column - Used, style);

    /// <summary>The line for a terminal; with <paramref name="colour"/> off, only bold and reversed text differ.</summary>
    public string ToAnsi(bool colour)
    {
        var text = new StringBuilder();
        foreach ((string run, TextStyle style) in _runs)
        {
            // ECMA-48 §8.3.117.
            string code = style switch
            {
                TextStyle.Bold => "1",
                TextStyle.Dim when colour => "2",
                TextStyle.Bar => "7",
                TextStyle.Good when colour => "32",
                TextStyle.Bad => colour ? "1;31" : "1",
                _ => "",
            };
            _ = code.Length == 0 ? text.Append(run) : text.Append("\e[").Append(code).Append('m').Append(run).Append("\e[m");
        }

        return text.ToString();
    }
}
