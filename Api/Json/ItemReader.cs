using System.Text.Json;

namespace Couic.Api.Json;

internal enum ItemStep : byte
{
    Item,

    /// <summary>More bytes are needed.</summary>
    More,

    /// <summary>The body is complete.</summary>
    End,
}

/// <summary>
/// Cuts a streamed body into its items: the values of one JSON array, or the lines of NDJSON. Holds no bytes: what it has not
/// consumed is passed again, with more after it, and is parsed again only once the item may be complete.
/// </summary>
internal struct ItemReader(bool isLines)
{
    private JsonReaderState _state = new(new JsonReaderOptions { MaxDepth = StrictJson.MaxDepth });
    private ItemScan _scan;
    private int _lineScanned;
    private bool _hasBegun;
    private bool _hasEnded;

    /// <summary>Bytes that were read, including those read twice.</summary>
    internal long Examined { get; private set; }

    /// <summary>Reads the next item.</summary>
    /// <param name="consumed">Bytes to drop once the item has been handled.</param>
    /// <param name="item">One JSON value; of a line, not known to be valid.</param>
    /// <exception cref="JsonException">The array itself is broken.</exception>
    public ItemStep Next(ReadOnlySpan<byte> bytes, bool isLast, out int consumed, out ReadOnlySpan<byte> item) =>
        isLines ? NextLine(bytes, isLast, out consumed, out item) : NextValue(bytes, isLast, out consumed, out item);

    private ItemStep NextLine(ReadOnlySpan<byte> bytes, bool isLast, out int consumed, out ReadOnlySpan<byte> item)
    {
        consumed = 0;
        item = default;
        while (item.IsEmpty)
        {
            ReadOnlySpan<byte> rest = bytes[consumed..];
            int end = rest[_lineScanned..].IndexOf((byte)'\n');
            Examined += end < 0 ? rest.Length - _lineScanned : end + 1;
            end = end < 0 ? end : end + _lineScanned;
            _lineScanned = 0;
            if (end < 0 && (!isLast || rest.IsEmpty))
            {
                _lineScanned = rest.Length;
                return isLast ? ItemStep.End : ItemStep.More;
            }

            item = (end < 0 ? rest : rest[..end]).Trim(" \t\r"u8); // a blank line is not an item
            consumed += end < 0 ? rest.Length : end + 1;
        }

        return ItemStep.Item;
    }

    private ItemStep NextValue(ReadOnlySpan<byte> bytes, bool isLast, out int consumed, out ReadOnlySpan<byte> item)
    {
        item = default;
        if (!isLast && _scan.IsActive && IsStillCut(bytes))
        {
            consumed = 0;
            return ItemStep.More;
        }

        _scan = default;
        var reader = new Utf8JsonReader(bytes, isLast, _state);
        while (true)
        {
            // If the value is not complete, the state is kept, and the value is read again.
            JsonReaderState before = reader.CurrentState;
            int start = (int)reader.BytesConsumed;
            if (!reader.Read())
            {
                consumed = start + BlanksOutside(bytes[start..], isLast);
                _state = before;
                NoteCut(bytes, consumed);
                return _hasEnded ? End(isLast) : isLast ? throw new JsonException("empty") : ItemStep.More;
            }

            if (reader.CurrentDepth == 0 && reader.TokenType == JsonTokenType.StartArray)
            {
                _hasBegun = true;
                continue;
            }

            if (reader.CurrentDepth == 0)
            {
                _hasEnded = reader.TokenType == JsonTokenType.EndArray ? true : throw new JsonException("an array is expected");
                continue;
            }

            int first = (int)reader.TokenStartIndex;
            if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray && !reader.TrySkip())
            {
                consumed = start;
                _state = before;
                NoteCut(bytes, consumed);
                return ItemStep.More;
            }

            consumed = (int)reader.BytesConsumed;
            Examined += consumed;
            _state = reader.CurrentState;
            item = bytes[first..consumed];
            return ItemStep.Item;
        }
    }

    /// <summary>White space before and after the array; nothing else is allowed there.</summary>
    private readonly int BlanksOutside(ReadOnlySpan<byte> bytes, bool isLast)
    {
        if (_hasBegun && !_hasEnded)
        {
            return 0;
        }

        int blanks = bytes.Length - bytes.TrimStart(" \t\r\n"u8).Length;
        return isLast || blanks == bytes.Length ? blanks : throw new JsonException("an array is expected");
    }

    /// <summary>Records how much of an incomplete item was read.</summary>
    private void NoteCut(ReadOnlySpan<byte> bytes, int start)
    {
        Examined += bytes.Length;
        if (_hasBegun && !_hasEnded)
        {
            _scan.Begin();
            IsStillCut(bytes[start..]);
        }
    }

    private bool IsStillCut(ReadOnlySpan<byte> bytes)
    {
        int seen = _scan.Seen;
        bool isCut = !_scan.Advance(bytes);
        Examined += isCut ? _scan.Seen - seen : bytes.Length - seen;
        return isCut;
    }

    private static ItemStep End(bool isLast) => isLast ? ItemStep.End : ItemStep.More;
}

/// <summary>
/// Searches the end of a JSON value that arrives in pieces, and reads each byte once. Finds where the value may be complete; the parser
/// decides whether it is one.
/// </summary>
internal struct ItemScan
{
    private State _state;
    private int _depth;
    private bool _isEscaped;

    private enum State : byte
    {
        Idle,

        /// <summary>White space and a comma before the value.</summary>
        Before,
        Structure,
        Text,

        /// <summary>A text outside of any object or array.</summary>
        Scalar,
        ScalarText,
    }

    /// <summary>Whether it is in the middle of a value.</summary>
    public readonly bool IsActive => _state != State.Idle;

    /// <summary>Bytes of the value, and before it, that it has seen.</summary>
    public int Seen { get; private set; }

    public void Begin()
    {
        this = default;
        _state = State.Before;
    }

    /// <summary>Continues to the end of the input. True when the value may be complete; it is idle then.</summary>
    public bool Advance(ReadOnlySpan<byte> bytes)
    {
        while (Seen < bytes.Length)
        {
            if (IsEnd(bytes[Seen++]))
            {
                this = default;
                return true;
            }
        }

        return false;
    }

    private bool IsEnd(byte c)
    {
        switch (_state)
        {
            case State.Before when c is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n' or (byte)',':
                return false;
            case State.Before:
                _state = c switch { (byte)'{' or (byte)'[' => State.Structure, (byte)'"' => State.ScalarText, _ => State.Scalar };
                _depth = 1;
                return c == ']';
            case State.Text or State.ScalarText when _isEscaped || c == '\\':
                _isEscaped = !_isEscaped;
                return false;
            case State.Text:
                _state = c == '"' ? State.Structure : State.Text;
                return false;
            case State.ScalarText:
                return c == '"';
            case State.Scalar:
                return !char.IsAsciiLetterOrDigit((char)c) && c is not ((byte)'+' or (byte)'-' or (byte)'.');
            default:
                _state = c == '"' ? State.Text : State.Structure;
                _depth += c is (byte)'{' or (byte)'[' ? 1 : c is (byte)'}' or (byte)']' ? -1 : 0;
                return _depth == 0;
        }
    }
}
