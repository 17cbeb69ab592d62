using System.Text;

namespace Couic.Config;

/// <summary>Where the reader stands: characters, lines, blanks, comments, faults and how to go on after one.</summary>
public sealed partial class TomlReader
{
    /// <summary>What <see cref="Peek"/> gives behind the last character; no document may hold it unescaped.</summary>
    private const char End = '\0';

    private int _position;
    private int _line = 1;
    private int _lineStart;
    private int _depth;

    // The last place whose column was asked for, so that long lines are not counted again from their start.
    private int _countedPosition;
    private int _countedColumn = 1;

    private bool AtEnd => _position >= _text.Length;

    private char Peek => PeekAt(0);

    private TomlPosition Here => PlaceOf(_position);

    private char PeekAt(int offset) => _position + offset < _text.Length ? _text[_position + offset] : End;

    private ReadOnlySpan<char> Rest => _text.AsSpan(_position);

    /// <summary>The place of a position in the current line.</summary>
    private TomlPosition PlaceOf(int position)
    {
        if (_countedPosition < _lineStart || _countedPosition > position)
        {
            (_countedPosition, _countedColumn) = (_lineStart, 1);
        }

        for (; _countedPosition < position; _countedPosition++)
        {
            _countedColumn += char.IsLowSurrogate(_text[_countedPosition]) ? 0 : 1;
        }

        return new TomlPosition(_line, _countedColumn);
    }

    private void SkipBlanks()
    {
        while (Peek is ' ' or '\t')
        {
            _position++;
        }
    }

    /// <summary>LF or CRLF.</summary>
    private bool TryTakeNewline()
    {
        int length = Peek == '\n' ? 1 : Peek == '\r' && PeekAt(1) == '\n' ? 2 : 0;
        if (length == 0)
        {
            return false;
        }

        _position += length;
        _line++;
        _lineStart = _position;
        return true;
    }

    /// <summary>False when the comment holds a character that it must not.</summary>
    private bool TrySkipComment()
    {
        if (Peek != '#')
        {
            return true;
        }

        while (!AtEnd && Peek is not ('\n' or '\r'))
        {
            if (IsControl(Peek))
            {
                return Fail($"{Shown(Peek)} in a comment", "control characters are not allowed");
            }

            _position++;
        }

        return true;
    }

    /// <summary>Blanks, line ends and comments, as between the values of an array.</summary>
    private bool TrySkipLines()
    {
        do
        {
            SkipBlanks();
            if (!TrySkipComment())
            {
                return false;
            }
        }
        while (TryTakeNewline());
        return true;
    }

    private static bool IsControl(char c) => c is < ' ' and not '\t' or '\x7f';

    /// <summary>A character as it is shown in a message.</summary>
    private string Shown(char c) => c switch
    {
        End when AtEnd => "the end of the file",
        '\n' => "the end of the line",
        '\r' when PeekAt(1) == '\n' => "the end of the line",
        _ when IsControl(c) || c == End => $"control character 0x{(int)c:x2}",
        _ when char.IsHighSurrogate(c) && Rune.TryGetRuneAt(_text, _position, out Rune rune) => $"\"{rune}\"",
        _ => $"\"{c}\"",
    };

    private bool Fail(string what, string? hint = null) => Fail(Here, what, hint);

    private bool Fail(TomlPosition at, string what, string? hint = null)
    {
        _faults.Add(new Fault(_file, at.Line, at.Column, hint is null ? what : $"{what} ({hint})"));
        return false;
    }

    /// <summary>
    /// Goes to where the next statement starts. After a fault inside brackets or quotes that is not simply the next line: the first
    /// line that looks like a statement of its own, so that the rest of an array is not taken for faults.
    /// </summary>
    private void Recover(int statement)
    {
        bool nested = _depth > 0 || _text.AsSpan(statement, _position - statement).Contains('\n');
        do
        {
            int end = _text.IndexOf('\n', _position);
            _position = end < 0 ? _text.Length : end;
            TryTakeNewline();
        }
        while (nested && !AtEnd && !LooksLikeStatement());
    }

    private bool LooksLikeStatement()
    {
        ReadOnlySpan<char> line = Rest;
        int end = line.IndexOf('\n');
        line = (end < 0 ? line : line[..end]).Trim(" \t\r");
        int key = line.IndexOfAnyExcept(KeyCharacters);
        if (line.StartsWith('['))
        {
            return line.TrimStart('[').IndexOfAnyExcept(KeyCharacters) > 0 && line.TrimEnd(']').Length < line.Length && !line.Contains(',');
        }

        return key > 0 && line[key..].TrimStart(" \t").StartsWith('=');
    }
}
