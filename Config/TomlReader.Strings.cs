using System.Globalization;
using System.Text;

namespace Couic.Config;

/// <summary>The four kinds of strings.</summary>
public sealed partial class TomlReader
{
    private bool TryReadString(out string text)
    {
        if (Rest.StartsWith("\"\"\""))
        {
            return TryReadLongString('"', out text);
        }

        if (Rest.StartsWith("'''"))
        {
            return TryReadLongString('\'', out text);
        }

        return Peek == '"' ? TryReadBasicString(out text) : TryReadLiteralString(out text);
    }

    private bool TryReadLiteralString(out string text)
    {
        TomlPosition at = Here;
        text = string.Empty;
        int start = ++_position;
        while (Peek != '\'')
        {
            if (!TryCheckCharacter(at))
            {
                return false;
            }

            _position++;
        }

        text = _text[start.._position++];
        return true;
    }

    private bool TryReadBasicString(out string text)
    {
        TomlPosition at = Here;
        text = string.Empty;
        var builder = new StringBuilder();
        _position++;
        while (Peek != '"')
        {
            if (Peek == '\\')
            {
                if (!TryReadEscape(builder))
                {
                    return false;
                }
            }
            else if (!TryCheckCharacter(at))
            {
                return false;
            }
            else
            {
                builder.Append(_text[_position++]);
            }
        }

        _position++;
        text = builder.ToString();
        return true;
    }

    /// <summary>A character inside a string of one line.</summary>
    private bool TryCheckCharacter(TomlPosition start)
    {
        if (AtEnd || Peek == '\n' || (Peek == '\r' && PeekAt(1) == '\n'))
        {
            return Fail(start, "the string is not closed on its line");
        }

        return !IsControl(Peek) || Fail($"{Shown(Peek)} in a string", "write it as an escape such as \\u001B, in double quotes");
    }

    /// <summary>A string in three quotes: a line end right behind them is dropped, CRLF becomes LF.</summary>
    private bool TryReadLongString(char quote, out string text)
    {
        TomlPosition at = Here;
        text = string.Empty;
        var builder = new StringBuilder();
        _position += 3;
        TryTakeNewline();
        while (true)
        {
            if (AtEnd)
            {
                return Fail(at, "the string is not closed", $"three {(quote == '"' ? "double" : "single")} quotes are missing");
            }

            if (Peek == quote)
            {
                if (TryReadQuotes(quote, builder))
                {
                    text = builder.ToString();
                    return true;
                }
            }
            else if (Peek == '\\' && quote == '"')
            {
                if (!TrySkipLineJoin() && !TryReadEscape(builder))
                {
                    return false;
                }
            }
            else if (TryTakeNewline())
            {
                builder.Append('\n');
            }
            else if (IsControl(Peek))
            {
                return Fail($"{Shown(Peek)} in a string", "write it as an escape such as \\u001B, in double quotes");
            }
            else
            {
                builder.Append(_text[_position++]);
            }
        }
    }

    /// <summary>
    /// A run of quotes inside a long string. Up to two may stand in the text, also right before the closing three; true when the
    /// string is closed.
    /// </summary>
    private bool TryReadQuotes(char quote, StringBuilder builder)
    {
        int run = 0;
        while (run < 5 && PeekAt(run) == quote)
        {
            run++;
        }

        _position += run;
        builder.Append(quote, run < 3 ? run : run - 3);
        return run >= 3;
    }

    /// <summary>A backslash at the end of a line: it and all blanks and line ends behind it are dropped.</summary>
    private bool TrySkipLineJoin()
    {
        int next = _position + 1;
        while (next < _text.Length && _text[next] is ' ' or '\t')
        {
            next++;
        }

        bool lineEnd = next < _text.Length && (_text[next] == '\n' || (_text[next] == '\r' && next + 1 < _text.Length && _text[next + 1] == '\n'));
        if (!lineEnd)
        {
            return false;
        }

        _position = next;
        do
        {
            SkipBlanks();
        }
        while (TryTakeNewline());
        return true;
    }

    private bool TryReadEscape(StringBuilder builder)
    {
        const string Known = "btnfr\"\\";
        const string Meant = "\b\t\n\f\r\"\\";
        char kind = PeekAt(1);
        int simple = Known.IndexOf(kind, StringComparison.Ordinal);
        if (simple >= 0 && kind != End)
        {
            builder.Append(Meant[simple]);
            _position += 2;
            return true;
        }

        int digits = kind switch { 'u' => 4, 'U' => 8, _ => 0 };
        if (digits == 0)
        {
            return Fail("unknown escape in a string", @"known: \b \t \n \f \r \"" \\ \uXXXX \UXXXXXXXX; single quotes take backslashes as they are");
        }

        ReadOnlySpan<char> hex = Rest[2..];
        if (hex.Length < digits || hex[..digits].IndexOfAnyExcept(HexDigits) >= 0)
        {
            return Fail($"\\{kind} needs {digits} hex digits");
        }

        uint value = uint.Parse(hex[..digits], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        if (!Rune.TryCreate(value, out Rune rune))
        {
            return Fail($"\\{kind}{hex[..digits]} is no Unicode character");
        }

        builder.Append(rune.ToString());
        _position += 2 + digits;
        return true;
    }
}
