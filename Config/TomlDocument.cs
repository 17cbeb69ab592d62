using System.Buffers;
using System.Text;
using Tomlyn.Parsing;
using Tomlyn.Syntax;

namespace Couic.Config;

/// <summary>
/// Reads TOML 1.1 with Tomlyn's parser. Reports all faults with their places, at most one per line and at most <see cref="MaxFaults"/>.
/// Tomlyn's syntax tree allows a key or a table to be defined twice; this class does not.
/// </summary>
public sealed class TomlDocument
{
    /// <summary>Faults reported for one file; a file that is not TOML at all has one in every line.</summary>
    public const int MaxFaults = 50;

    private const int MaxShownCharacters = 40;
    private const string SecretText = "not understood (KEY = \"TEXT\"; the line holds a secret and is not shown)";

    /// <summary>What Tomlyn's messages contain, and what is reported instead; {0} is what the file has at that place.</summary>
    private static readonly (string Marker, string Text)[] Phrases =
    [
        ("expecting a value", "a value is missing"),
        ("for a value", "{0} is not a value (strings need quotes)"),
        ("after a key", "{0} after a key (expected \"=\")"),
        ("token `newline`", "{0} after the end of the statement (one statement per line; # starts a comment)"),
        ("for a base key", "{0} where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)"),
        ("Unexpected token [", "{0} where a key should start (keys are letters, digits, \"-\" and \"_\", or quoted)"),
        ("expecting `]`", "{0} in a header (expected \"]\")"),
        ("expecting `]]`", "{0} in a header (expected \"]]\")"),
        ("an array", "{0} in an array (expected \",\" or \"]\")"),
        ("inline table", "{0} in a table in braces (expected a key, \",\" or \"}\")"),
        ("escape", "unknown escape in a string (single quotes take backslashes as they are)"),
        ("parse integer", "{0} is not a value (beyond 64 bits)"),
        ("leading zero", "{0} is not a value (leading zeros are not allowed)"),
        ("date time/offset", "{0} is not a date or time (RFC 3339)"),
        ("Invalid \\r", "a carriage return without a line feed"),
        ("ontrol character", "a control character (write it as an escape such as \\u001B, in double quotes)"),
    ];

    /// <summary>Keys whose values are secrets, in all files that couic reads.</summary>
    private static readonly SearchValues<string> SecretKeys = SearchValues.Create(["token", "secret", "webhook", "password", "servers"], StringComparison.OrdinalIgnoreCase);

    private static readonly SearchValues<char> WordEnds = SearchValues.Create(" \t\r\n,]}#=\"'");

    private readonly string _file;
    private readonly string _text;
    private readonly List<Fault> _faults;
    private readonly TomlTable _root = new(TomlTableOrigin.Header);

    /// <summary>Offsets of all syntax faults, in order: statements that hold one are left out.</summary>
    private readonly List<int> _broken = [];

    private int _count;

    /// <summary>Whether the text is ignored from the last of these faults on.</summary>
    private bool _isCut;

    private TomlDocument(string file, string text, List<Fault> faults) => (_file, _text, _faults) = (file, text, faults);

    private readonly record struct KeyPart(string Name, TomlPosition At);

    /// <summary>Reads a document. <paramref name="file"/> only names it in the faults, which are added to <paramref name="faults"/>.</summary>
    /// <returns>What could be read; complete when no fault was added.</returns>
    public static TomlTable Read(string file, ReadOnlySpan<byte> utf8, List<Fault> faults)
    {
        if (utf8.StartsWith("\uFEFF"u8))
        {
            utf8 = utf8[3..];
        }

        if (FirstBadByte(file, utf8) is { } bad)
        {
            faults.Add(bad);
            return new TomlTable(TomlTableOrigin.Header);
        }

        // With a line end after the last line, a token that reaches the end of the text is not closed.
        var document = new TomlDocument(file, Encoding.UTF8.GetString(utf8) + "\n", faults);
        try
        {
            document.Read(SyntaxParser.Parse(document._text, file, validate: false));
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A file on which the parser fails must not end the daemon.
            faults.Add(new Fault(file, e is Tomlyn.TomlException ? "more than 64 arrays or tables inside each other" : $"cannot be parsed: {e.Message}"));
            return new TomlTable(TomlTableOrigin.Header);
        }

        return document._root;
    }

    /// <summary>The place where a file is not UTF-8; null when all of it is.</summary>
    public static Fault? FirstBadByte(string file, ReadOnlySpan<byte> utf8)
    {
        if (System.Text.Unicode.Utf8.IsValid(utf8))
        {
            return null;
        }

        int line = 1, column = 1;
        while (Rune.DecodeFromUtf8(utf8, out Rune rune, out int length) == OperationStatus.Done)
        {
            (line, column) = rune.Value == '\n' ? (line + 1, 1) : (line, column + 1);
            utf8 = utf8[length..];
        }

        return new Fault(file, line, column, $"byte 0x{utf8[0]:x2} is not UTF-8");
    }

    private void Read(DocumentSyntax syntax)
    {
        if (!ReportSyntax(syntax))
        {
            return;
        }

        foreach (KeyValueSyntax pair in syntax.KeyValues)
        {
            Add(_root, pair);
        }

        foreach (TableSyntaxBase table in syntax.Tables)
        {
            if (Define(table) is { } target)
            {
                foreach (KeyValueSyntax pair in table.Items)
                {
                    Add(target, pair);
                }
            }
        }
    }

    /// <summary>Reports the first fault of each line, up to the first quote that is not closed: what follows it may be misread.</summary>
    /// <returns>False when there are too many.</returns>
    private bool ReportSyntax(DocumentSyntax syntax)
    {
        var open = new OpenTokens(_text);
        syntax.Accept(open);
        int end = _text.Length - 1;
        var lines = new HashSet<int>();
        foreach ((int offset, DiagnosticMessage message) in syntax.Diagnostics.Select(message => (OffsetOf(message), message)).OrderBy(pair => pair.Item1))
        {
            if (message.Message.Contains("newline in a string", StringComparison.Ordinal))
            {
                open.Quote = Math.Min(open.Quote, offset);
            }

            if (offset >= open.Quote)
            {
                break;
            }

            // What is missing at the end of the text is the closing bracket, unless a fault after the opening one is the reason.
            bool isOpenBracket = offset == end && open.Bracket > (_broken.Count == 0 ? -1 : _broken[^1]);
            bool isConsequence = offset == end && !isOpenBracket && _broken.Count > 0;
            TomlPosition at = isOpenBracket ? PlaceOf(open.Bracket) : offset == end ? PlaceOf(end) : PlaceOf(message.Span.Start);
            _broken.Add(offset);
            if (isConsequence || !lines.Add(at.Line))
            {
                continue;
            }

            int glued = message.Message.Contains("token `newline`", StringComparison.Ordinal) ? GluedLength(offset) : 0;
            Fail(
                at with { Column = at.Column - glued },
                isOpenBracket ? OpenBracketText(open.Bracket)
                : MayShowSecret(offset, open.Pairs) ? SecretText
                : TextOf(glued > 0 ? "for a value" : message.Message, offset - glued));
            if (_count > MaxFaults)
            {
                return false;
            }

            // A header that ends in a wrong place takes the start of the next line with it.
            lines.UnionWith(syntax.Tables.Where(table => HasInHeader(table, offset)).Select(table => PlaceOf(table.EndOfLineToken!.Span.Start).Line));
        }

        if (open.Quote < int.MaxValue)
        {
            _broken.Add(open.Quote);
            _isCut = true;
            TomlPosition at = PlaceOf(open.Quote);
            if (lines.Add(at.Line))
            {
                Fail(at, OpenQuoteText(open.Quote));
            }
        }

        return true;
    }

    /// <summary>Tomlyn gives no place to what it reports at the end of the text.</summary>
    private int OffsetOf(DiagnosticMessage message) =>
        Math.Min(message.Message.Contains("`<eof>`", StringComparison.Ordinal) ? int.MaxValue : message.Span.Start.Offset, _text.Length - 1);

    private TomlPosition PlaceOf(int offset)
    {
        ReadOnlySpan<char> before = _text.AsSpan(0, offset);
        int lineStart = before.LastIndexOf('\n') + 1, column = 1;
        foreach (char c in before[lineStart..])
        {
            column += char.IsLowSurrogate(c) ? 0 : 1;
        }

        return new TomlPosition(before.Count('\n') + 1, column);
    }

    private static TomlPosition PlaceOf(TextPosition position) => new(position.Line + 1, position.Column + 1);

    /// <summary>How much of a word is before a place: <c>10.0.0.1</c> starts as a number, and yet all of it is not a value.</summary>
    private int GluedLength(int offset)
    {
        ReadOnlySpan<char> before = _text.AsSpan(0, offset);
        int start = before.LastIndexOfAny(WordEnds) + 1;
        return start < offset && start > 0 && before[start - 1] is ' ' or '\t' or '=' ? offset - start : 0;
    }

    private static bool HasInHeader(TableSyntaxBase table, int offset) =>
        table.EndOfLineToken is { } end && offset >= table.Span.Start.Offset && offset <= end.Span.End.Offset;

    private string OpenBracketText(int offset) =>
        _text[offset] == '[' ? "the array is not closed (\"]\" is missing)" : "the table in braces is not closed (\"}\" is missing)";

    private string OpenQuoteText(int offset) => _text.AsSpan(offset) switch
    {
        ['"', '"', '"', ..] => "the string is not closed (three double quotes are missing)",
        ['\'', '\'', '\'', ..] => "the string is not closed (three single quotes are missing)",
        _ => "the string is not closed on its line",
    };

    private string TextOf(string message, int offset)
    {
        string? phrase = Phrases.FirstOrDefault(phrase => message.Contains(phrase.Marker, StringComparison.Ordinal)).Text;
        return phrase is null
            ? char.ToLowerInvariant(message[0]) + message[1..].Replace('`', '"')
            : phrase.Replace("{0}", Shown(offset), StringComparison.Ordinal);
    }

    /// <summary>The word, or else the character, at a place.</summary>
    private string Shown(int offset)
    {
        ReadOnlySpan<char> rest = _text.AsSpan(offset);
        int length = Math.Clamp(rest.IndexOfAny(WordEnds), 1, MaxShownCharacters);
        length -= char.IsHighSurrogate(rest[length - 1]) ? -1 : 0;
        return offset == _text.Length - 1 ? "the end of the file" : rest[0] is '\n' or '\r' ? "the end of the line" : $"\"{rest[..length]}\"";
    }

    /// <summary>Whether what is shown of a place may belong to a secret: its line or its statement, which may start lines before, names one.</summary>
    private bool MayShowSecret(int offset, List<int> pairs)
    {
        int next = pairs.BinarySearch(offset);
        int statement = next >= 0 ? offset : next == ~0 ? 0 : pairs[~next - 1];
        int line = _text.LastIndexOf('\n', Math.Max(offset - 1, 0)) + 1;
        ReadOnlySpan<char> before = _text.AsSpan(0, line).TrimEnd();
        line = before.EndsWith('=') ? before.LastIndexOf('\n') + 1 : line; // the value is on the next line
        return _text.AsSpan()[Math.Min(statement, line)..(offset + _text.AsSpan(offset).IndexOf('\n'))].ContainsAny(SecretKeys);
    }

    /// <summary>Whether a syntax fault lies in a part of the text, or whether that part follows an open quote.</summary>
    private bool IsBroken(int start, int end)
    {
        int next = _broken.BinarySearch(start);
        next = next < 0 ? ~next : next;
        return next < _broken.Count ? _broken[next] <= end : _isCut;
    }

    /// <summary>Creates, or finds, the table of a header; null after a fault.</summary>
    private TomlTable? Define(TableSyntaxBase table)
    {
        if (IsBroken(table.Span.Start.Offset, (table.EndOfLineToken?.Span.End ?? table.Span.End).Offset) || PartsOf(table.Name) is not { } key)
        {
            return null;
        }

        TomlPosition at = PlaceOf(table.Span.Start);
        return Enter(key) is not { } parent ? null : table is TableArraySyntax ? Append(parent, key[^1], at) : Define(parent, key[^1], at);
    }

    /// <summary>Walks to the table that holds a header's last name; an array of tables is entered at its last one.</summary>
    private TomlTable? Enter(List<KeyPart> key)
    {
        TomlTable table = _root;
        foreach (KeyPart part in key[..^1])
        {
            if (!table.TryGet(part.Name, out TomlEntry? entry))
            {
                table = AddTable(table, part, TomlTableOrigin.Implied);
                continue;
            }

            TomlValue value = IsArrayOfTables(entry.Value) ? entry.Value.Items[^1] : entry.Value;
            if (value.Kind != TomlKind.Table)
            {
                return Fail(part.At, $"{Quote(part)} is {entry.Value.KindText} since line {entry.At.Line}, not a table");
            }

            if (value.Table.Origin == TomlTableOrigin.Inline)
            {
                return Fail(part.At, $"table {Quote(part)} of line {entry.At.Line} is complete (a table in braces cannot be added to)");
            }

            table = value.Table;
        }

        return table;
    }

    private TomlTable? Define(TomlTable parent, KeyPart name, TomlPosition at)
    {
        if (!parent.TryGet(name.Name, out TomlEntry? entry))
        {
            return AddTable(parent, name, TomlTableOrigin.Header);
        }

        if (entry.Value.Kind != TomlKind.Table || entry.Value.Table.Origin != TomlTableOrigin.Implied)
        {
            return Fail(at, $"{Quote(name)} is defined already, in line {entry.At.Line} (each table has one place)");
        }

        entry.Value.Table.Origin = TomlTableOrigin.Header;
        return entry.Value.Table;
    }

    private TomlTable? Append(TomlTable parent, KeyPart name, TomlPosition at)
    {
        var value = new TomlValue(TomlKind.Table, name.At, new TomlTable(TomlTableOrigin.Header));
        if (!parent.TryGet(name.Name, out TomlEntry? entry))
        {
            parent.Add(new TomlEntry(name.Name, name.At, new TomlValue(TomlKind.Array, name.At, new List<TomlValue> { value })));
        }
        else if (IsArrayOfTables(entry.Value))
        {
            entry.Value.Items.Add(value);
        }
        else
        {
            return Fail(at, $"{Quote(name)} is {entry.Value.KindText} since line {entry.At.Line}, not an array of tables");
        }

        return value.Table;
    }

    /// <summary>Created by <c>[[headers]]</c>, not by brackets after a <c>=</c>.</summary>
    private static bool IsArrayOfTables(TomlValue value) =>
        value.Kind == TomlKind.Array && value.Items is [.., { Kind: TomlKind.Table, Table.Origin: TomlTableOrigin.Header }];

    private static TomlTable AddTable(TomlTable parent, KeyPart name, TomlTableOrigin origin)
    {
        var table = new TomlTable(origin);
        parent.Add(new TomlEntry(name.Name, name.At, new TomlValue(TomlKind.Table, name.At, table)));
        return table;
    }

    private void Add(TomlTable table, KeyValueSyntax pair)
    {
        if (IsBroken(pair.Span.Start.Offset, pair.Span.End.Offset) || PartsOf(pair.Key) is not { } key || ValueOf(pair.Value) is not { } value)
        {
            return;
        }

        foreach (KeyPart part in key[..^1])
        {
            if (!table.TryGet(part.Name, out TomlEntry? entry))
            {
                table = AddTable(table, part, TomlTableOrigin.Dotted);
                continue;
            }

            if (entry.Value.Kind != TomlKind.Table)
            {
                Fail(part.At, $"{Quote(part)} is {entry.Value.KindText} since line {entry.At.Line}, not a table");
                return;
            }

            table = entry.Value.Table;
            if (table.Origin is not (TomlTableOrigin.Implied or TomlTableOrigin.Dotted))
            {
                Fail(part.At, $"table {Quote(part)} of line {entry.At.Line} is complete (dotted keys cannot add to it)");
                return;
            }

            table.Origin = TomlTableOrigin.Dotted;
        }

        KeyPart last = key[^1];
        if (table.TryGet(last.Name, out TomlEntry? first))
        {
            Fail(last.At, $"key {Quote(last)} is set already, in line {first.At.Line}");
            return;
        }

        table.Add(new TomlEntry(last.Name, last.At, value));
    }

    private static List<KeyPart>? PartsOf(KeySyntax? key)
    {
        List<KeyPart> parts = [];
        foreach (BareKeyOrStringValueSyntax? part in key is null ? [] : key.DotKeys.Select(item => item.Key).Prepend(key.Key))
        {
            string? name = (part as StringValueSyntax)?.Value ?? (part as BareKeySyntax)?.Key?.Text;
            if (name is null)
            {
                return null;
            }

            parts.Add(new KeyPart(name, PlaceOf(part!.Span.Start)));
        }

        return parts.Count == 0 ? null : parts;
    }

    /// <summary>Null after a fault, of which the syntax faults are reported already.</summary>
    private TomlValue? ValueOf(ValueSyntax? value)
    {
        if (value is null)
        {
            return null;
        }

        TomlPosition at = PlaceOf(value.Span.Start);
        switch (value)
        {
            case StringValueSyntax text:
                return new TomlValue(TomlKind.String, at, text.Value ?? string.Empty);
            case IntegerValueSyntax integer when integer.Value < 0 && integer.Token?.Text is not ['-', ..]:
                Fail(at, $"{TomlValue.Quote(integer.Token?.Text ?? string.Empty)} is not a value (beyond 64 bits)");
                return null;
            case IntegerValueSyntax integer:
                return new TomlValue(TomlKind.Integer, at, integer.Value);
            case FloatValueSyntax number:
                return new TomlValue(TomlKind.Float, at, number.Value);
            case BooleanValueSyntax boolean:
                return new TomlValue(TomlKind.Boolean, at, boolean.Value);
            case DateTimeValueSyntax time:
                return new TomlValue(TomlKind.DateTime, at, time.Token?.Text ?? string.Empty);
            case ArraySyntax array:
                List<TomlValue?> items = [.. array.Items.Select(item => ValueOf(item.Value))];
                return items.Contains(null) ? null : new TomlValue(TomlKind.Array, at, items);
            case InlineTableSyntax inline:
                var table = new TomlTable(TomlTableOrigin.Dotted);
                foreach (InlineTableItemSyntax item in inline.Items)
                {
                    Add(table, item.KeyValue!);
                }

                Close(table);
                return new TomlValue(TomlKind.Table, at, table);
            default:
                return null;
        }
    }

    /// <summary>Completes a table in braces, with what dotted keys created inside of it.</summary>
    private static void Close(TomlTable table)
    {
        table.Origin = TomlTableOrigin.Inline;
        foreach (TomlEntry entry in table.Entries)
        {
            if (entry.Value is { Kind: TomlKind.Table, Table.Origin: not TomlTableOrigin.Inline })
            {
                Close(entry.Value.Table);
            }
        }
    }

    private static string Quote(KeyPart part) => TomlValue.Quote(part.Name);

    private TomlTable? Fail(TomlPosition at, string message)
    {
        _count++;
        if (_count <= MaxFaults)
        {
            _faults.Add(new Fault(_file, at.Line, at.Column, message));
        }
        else if (_count == MaxFaults + 1)
        {
            _faults.Add(new Fault(_file, at.Line, 0, "too many faults; the rest of the file was not read"));
        }

        return null;
    }

    /// <summary>Finds what is not closed, and where pairs start.</summary>
    private sealed class OpenTokens(string text) : SyntaxVisitor
    {
        /// <summary>Where the first string starts that is not closed.</summary>
        public int Quote { get; set; } = int.MaxValue;

        /// <summary>Where the last array or table in braces starts that is not closed; negative when there is none.</summary>
        public int Bracket { get; private set; } = -1;

        public List<int> Pairs { get; } = [];

        public override void Visit(KeyValueSyntax keyValue)
        {
            Pairs.Add(keyValue.Span.Start.Offset);
            base.Visit(keyValue);
        }

        public override void Visit(ArraySyntax array)
        {
            Bracket = array.CloseBracket is null ? array.Span.Start.Offset : Bracket;
            base.Visit(array);
        }

        public override void Visit(InlineTableSyntax inlineTable)
        {
            Bracket = inlineTable.CloseBrace is null ? inlineTable.Span.Start.Offset : Bracket;
            base.Visit(inlineTable);
        }

        /// <summary>Tomlyn continues a string over the end of its line, up to the next quote or the end of the text.</summary>
        public override void Visit(StringValueSyntax stringValue)
        {
            int start = stringValue.Span.Start.Offset, end = Math.Min(stringValue.Span.End.Offset, text.Length - 1);
            ReadOnlySpan<char> source = text.AsSpan()[start..(end + 1)];
            bool hasLines = source is ['"', '"', '"', ..] or ['\'', '\'', '\'', ..];
            if (hasLines ? end == text.Length - 1 : source.Contains('\n'))
            {
                Quote = Math.Min(Quote, start);
            }
        }
    }
}
