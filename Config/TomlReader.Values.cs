using System.Buffers;

namespace Couic.Config;

/// <summary>Values that hold others, and which kind of value starts here.</summary>
public sealed partial class TomlReader
{
    private static readonly SearchValues<char> WordEnds = SearchValues.Create(" \t\r\n,]}#");

    private bool TryReadValue(out TomlValue? value)
    {
        TomlPosition at = Here;
        value = null;
        switch (Peek)
        {
            case '"' or '\'':
                if (!TryReadString(out string text))
                {
                    return false;
                }

                value = new TomlValue(TomlKind.String, at, text);
                return true;
            case '[':
                return TryReadArray(at, out value);
            case '{':
                return TryReadInlineTable(at, out value);
            case 't' or 'f':
                return TryReadBoolean(at, out value);
            case '+' or '-' or 'i' or 'n' or (>= '0' and <= '9'):
                return TryReadNumberOrTime(at, out value);
            case '\n' or '\r' or '#' or End:
                return Fail("a value is missing");
            default:
                return Fail($"{Shown(Peek)} where a value should start", "strings need quotes");
        }
    }

    private bool TryReadBoolean(TomlPosition at, out TomlValue? value)
    {
        int length = WordLength();
        ReadOnlySpan<char> word = Rest[..length];
        value = word is "true" or "false" ? new TomlValue(TomlKind.Boolean, at, word is "true") : null;
        if (value is null)
        {
            return Fail(at, $"\"{word}\" is no value", "true and false are lower-case; strings need quotes");
        }

        _position += length;
        return true;
    }

    private bool TryReadArray(TomlPosition at, out TomlValue? value)
    {
        value = null;
        if (!TryEnter(at))
        {
            return false;
        }

        _position++;
        List<TomlValue> items = [];
        while (true)
        {
            if (!TrySkipLines())
            {
                return false;
            }

            if (Peek == ']')
            {
                break;
            }

            if (AtEnd)
            {
                return Fail(at, "the array is not closed", "\"]\" is missing");
            }

            if (!TryReadValue(out TomlValue? item) || !TrySkipLines())
            {
                return false;
            }

            items.Add(item!);
            if (Peek == ',')
            {
                _position++;
            }
            else if (Peek != ']')
            {
                return AtEnd
                    ? Fail(at, "the array is not closed", "\"]\" is missing")
                    : Fail($"{Shown(Peek)} in the array", "expected \",\" or \"]\"");
            }
        }

        _position++;
        _depth--;
        value = new TomlValue(TomlKind.Array, at, items);
        return true;
    }

    private bool TryReadInlineTable(TomlPosition at, out TomlValue? value)
    {
        value = null;
        if (!TryEnter(at))
        {
            return false;
        }

        _position++;
        SkipBlanks();
        var table = new TomlTable(TomlTableOrigin.Inline);
        if (Peek == '}')
        {
            _position++;
        }
        else if (!TryReadPairs(table))
        {
            return false;
        }

        _depth--;
        Close(table);
        value = new TomlValue(TomlKind.Table, at, table);
        return true;
    }

    /// <summary>Pairs up to the closing brace. TOML 1.0 has neither line ends nor a trailing comma here.</summary>
    private bool TryReadPairs(TomlTable table)
    {
        while (true)
        {
            if (!TryReadPair(table, "in the table"))
            {
                return false;
            }

            SkipBlanks();
            char next = Peek;
            if (next is not (',' or '}'))
            {
                return Fail($"{Shown(next)} in the table", "expected \",\" or \"}\" on the same line");
            }

            _position++;
            if (next == '}')
            {
                return true;
            }

            SkipBlanks();
            if (Peek == '}')
            {
                return Fail("\"}\" after a comma", "no comma after the last key of a table in braces");
            }
        }
    }

    /// <summary>What dotted keys made inside the braces is complete as well.</summary>
    private static void Close(TomlTable table)
    {
        table.Origin = TomlTableOrigin.Inline;
        foreach (TomlEntry entry in table.Entries)
        {
            if (entry.Value.Kind == TomlKind.Table && entry.Value.Table.Origin != TomlTableOrigin.Inline)
            {
                Close(entry.Value.Table);
            }
        }
    }

    private bool TryEnter(TomlPosition at) =>
        ++_depth <= MaxDepth || Fail(at, $"more than {MaxDepth} arrays or tables inside each other");

    /// <summary>Characters up to the next blank, line end or punctuation that ends an unquoted value.</summary>
    private int WordLength()
    {
        int length = Rest.IndexOfAny(WordEnds);
        return length < 0 ? Rest.Length : length;
    }
}
