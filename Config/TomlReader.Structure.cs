using System.Buffers;

namespace Couic.Config;

/// <summary>Headers, keys and which table a value goes to: the rules about defining things once.</summary>
public sealed partial class TomlReader
{
    private static readonly SearchValues<char> BareCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");

    private static readonly SearchValues<char> KeyCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-. \"'");

    private readonly record struct KeyPart(string Name, TomlPosition At);

    private bool TryReadHeader()
    {
        _current = new TomlTable(TomlTableOrigin.Header); // where keys go if the header is bad: nowhere
        TomlPosition at = Here;
        bool isArray = PeekAt(1) == '[';
        _position += isArray ? 2 : 1;
        SkipBlanks();
        if (!TryReadKey(out List<KeyPart> key, "in the header"))
        {
            return false;
        }

        string close = isArray ? "]]" : "]";
        if (!Rest.StartsWith(close))
        {
            return Fail($"{Shown(Peek)} in the header", $"expected \"{close}\"");
        }

        _position += close.Length;
        return TryPass(key, out TomlTable? parent) && (isArray ? TryAppend(parent, key[^1], at) : TryDefine(parent, key[^1], at));
    }

    /// <summary>Walks to the table that holds a header's last name; an array of tables is entered at its last one.</summary>
    private bool TryPass(List<KeyPart> key, out TomlTable table)
    {
        table = _root;
        for (int i = 0; i < key.Count - 1; i++)
        {
            if (!table.TryGet(key[i].Name, out TomlEntry? entry))
            {
                table = AddTable(table, key[i], TomlTableOrigin.Passed);
                continue;
            }

            TomlValue value = entry.Value.Kind == TomlKind.Array && IsArrayOfTables(entry.Value) ? entry.Value.Items[^1] : entry.Value;
            if (value.Kind != TomlKind.Table)
            {
                return Fail(key[i].At, $"\"{key[i].Name}\" is {entry.Value.KindText} since line {entry.At.Line}, not a table");
            }

            if (value.Table.Origin == TomlTableOrigin.Inline)
            {
                return Fail(key[i].At, $"table \"{key[i].Name}\" of line {entry.At.Line} is complete", "a table in braces cannot be added to");
            }

            table = value.Table;
        }

        return true;
    }

    private bool TryDefine(TomlTable parent, KeyPart name, TomlPosition at)
    {
        if (!parent.TryGet(name.Name, out TomlEntry? entry))
        {
            _current = AddTable(parent, name, TomlTableOrigin.Header);
            return true;
        }

        if (entry.Value.Kind != TomlKind.Table || entry.Value.Table.Origin != TomlTableOrigin.Passed)
        {
            return Fail(at, $"\"{name.Name}\" is defined already, in line {entry.At.Line}", "each table has one place");
        }

        _current = entry.Value.Table;
        _current.Origin = TomlTableOrigin.Header;
        return true;
    }

    private bool TryAppend(TomlTable parent, KeyPart name, TomlPosition at)
    {
        var element = new TomlTable(TomlTableOrigin.Header);
        var value = new TomlValue(TomlKind.Table, name.At, element);
        if (!parent.TryGet(name.Name, out TomlEntry? entry))
        {
            parent.Add(new TomlEntry(name.Name, name.At, new TomlValue(TomlKind.Array, name.At, new List<TomlValue> { value })));
        }
        else if (entry.Value.Kind == TomlKind.Array && IsArrayOfTables(entry.Value))
        {
            entry.Value.Items.Add(value);
        }
        else
        {
            return Fail(at, $"\"{name.Name}\" is {entry.Value.KindText} since line {entry.At.Line}, not an array of tables");
        }

        _current = element;
        return true;
    }

    /// <summary>Made by <c>[[headers]]</c>, not by brackets after a <c>=</c>.</summary>
    private static bool IsArrayOfTables(TomlValue array) =>
        array.Items.Count > 0 && array.Items[^1] is { Kind: TomlKind.Table, Table.Origin: TomlTableOrigin.Header };

    private static TomlTable AddTable(TomlTable parent, KeyPart name, TomlTableOrigin origin)
    {
        var table = new TomlTable(origin);
        parent.Add(new TomlEntry(name.Name, name.At, new TomlValue(TomlKind.Table, name.At, table)));
        return table;
    }

    /// <summary>A key, <c>=</c> and a value, added to the table.</summary>
    private bool TryReadPair(TomlTable table, string context)
    {
        if (!TryReadKey(out List<KeyPart> key, context))
        {
            return false;
        }

        if (Peek != '=')
        {
            return Fail($"{Shown(Peek)} after key \"{key[^1].Name}\"", "expected \"=\"");
        }

        _position++;
        SkipBlanks();
        return TryReadValue(out TomlValue? value) && TryPlace(table, key, value!);
    }

    private bool TryPlace(TomlTable table, List<KeyPart> key, TomlValue value)
    {
        for (int i = 0; i < key.Count - 1; i++)
        {
            if (!table.TryGet(key[i].Name, out TomlEntry? entry))
            {
                table = AddTable(table, key[i], TomlTableOrigin.Dotted);
                continue;
            }

            if (entry.Value.Kind != TomlKind.Table)
            {
                return Fail(key[i].At, $"\"{key[i].Name}\" is {entry.Value.KindText} since line {entry.At.Line}, not a table");
            }

            table = entry.Value.Table;
            if (table.Origin is not (TomlTableOrigin.Passed or TomlTableOrigin.Dotted))
            {
                return Fail(key[i].At, $"table \"{key[i].Name}\" of line {entry.At.Line} is complete", "dotted keys cannot add to it");
            }

            table.Origin = TomlTableOrigin.Dotted;
        }

        KeyPart last = key[^1];
        if (table.TryGet(last.Name, out TomlEntry? first))
        {
            return Fail(last.At, $"key \"{last.Name}\" is set already, in line {first.At.Line}");
        }

        table.Add(new TomlEntry(last.Name, last.At, value));
        return true;
    }

    /// <summary>One or more names with dots between them, and the blanks behind.</summary>
    private bool TryReadKey(out List<KeyPart> key, string context)
    {
        key = [];
        while (true)
        {
            TomlPosition at = Here;
            if (!TryReadKeyPart(out string name, context))
            {
                return false;
            }

            key.Add(new KeyPart(name, at));
            SkipBlanks();
            if (Peek != '.')
            {
                return true;
            }

            _position++;
            SkipBlanks();
        }
    }

    private bool TryReadKeyPart(out string name, string context)
    {
        name = string.Empty;
        if (Peek is '"' or '\'')
        {
            if (Rest.StartsWith("\"\"\"") || Rest.StartsWith("'''"))
            {
                return Fail("a string of several lines as a key", "keys take one quote");
            }

            return Peek == '"' ? TryReadBasicString(out name) : TryReadLiteralString(out name);
        }

        int length = Rest.IndexOfAnyExcept(BareCharacters);
        length = length < 0 ? Rest.Length : length;
        if (length == 0)
        {
            return Fail($"{Shown(Peek)} {context}", "keys are letters, digits, \"-\" and \"_\", or quoted");
        }

        name = Rest[..length].ToString();
        _position += length;
        return true;
    }
}
