using System.Globalization;
using System.Text;

namespace Couic.Tests.Support;

/// <summary>
/// A terminal as xterm is one: what a program wrote to it, as a screen. It knows what couicctl uses, and fails on anything else, so that
/// a sequence from foreign text is noticed.
/// </summary>
public sealed class VirtualTerminal(int width, int height)
{
    private readonly StringBuilder _sequence = new();
    private char[][] _cells = Blank(width, height);
    private int _row;
    private int _column;
    private bool _inSequence;

    public int Width { get; private set; } = width;

    public int Height { get; private set; } = height;

    /// <summary>Whether the alternate screen is shown.</summary>
    public bool IsAlternate { get; private set; }

    public bool HidesCursor { get; private set; }

    /// <summary>How many complete frames were drawn in synchronized updates.</summary>
    public int Updates { get; private set; }

    /// <summary>The lines, without blanks at their ends.</summary>
    public string[] Lines => [.. _cells.Select(line => new string(line).TrimEnd())];

    public string Text => string.Join('\n', Lines);

    public void Resize(int columns, int rows) => (Width, Height, _cells) = (columns, rows, Blank(columns, rows));

    public void Write(string text)
    {
        foreach (char c in text)
        {
            if (_inSequence)
            {
                Continue(c);
            }
            else if (c == '\e')
            {
                _inSequence = true;
            }
            else if (c == '\n')
            {
                _row = Math.Min(_row + 1, Height - 1);
            }
            else if (c == '\r')
            {
                _column = 0;
            }
            else
            {
                Put(c);
            }
        }
    }

    private static char[][] Blank(int width, int height) => [.. Enumerable.Range(0, height).Select(_ => new string(' ', width).ToCharArray())];

    private void Put(char c)
    {
        if (char.IsControl(c) || _row >= Height || _column >= Width)
        {
            throw new InvalidOperationException($"U+{(int)c:X4} at row {_row}, column {_column} of {Width}x{Height}");
        }

        _cells[_row][_column++] = c;
    }

    private void Continue(char c)
    {
        _sequence.Append(c);
        if (_sequence.Length == 1 && c == '[')
        {
            return;
        }

        if (_sequence.Length > 1 && c is not (>= '@' and <= '~'))
        {
            return;
        }

        Apply(_sequence.ToString());
        _sequence.Clear();
        _inSequence = false;
    }

    private void Apply(string sequence)
    {
        switch (sequence)
        {
            case "[?1049h" or "[?1049l":
                IsAlternate = sequence[^1] == 'h';
                break;
            case "[?25h" or "[?25l":
                HidesCursor = sequence[^1] == 'l';
                break;
            case "[?2026h":
                break;
            case "[?2026l":
                Updates++;
                break;
            case "[2J":
                _cells = Blank(Width, Height);
                break;
            case "[K":
                Array.Fill(_cells[_row], ' ', _column, Width - _column);
                break;
            case ['[', .. string place, 'H']:
                int[] numbers = [.. place.Split(';').Select(number => int.Parse(number, CultureInfo.InvariantCulture))];
                (_row, _column) = (numbers[0] - 1, numbers[1] - 1);
                break;
            case ['[', .. string style, 'm'] when style.All(d => d is ';' or (>= '0' and <= '9')):
                break;
            default:
                throw new InvalidOperationException($"unknown sequence ESC {sequence}");
        }
    }
}
