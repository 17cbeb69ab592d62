using System.Text.Json;

namespace Couic.Api.Json;

internal enum ItemStep : byte
{
    Item,

    /// <summary>More bytes are needed.</summary>
    More,

    /// <summary>The body has ended as it should.</summary>
    End,
}

/// <summary>
/// Cuts a streamed body into its items: the values of one JSON array, or the lines of NDJSON. Holds no bytes: what it has not
/// consumed is given again, with more after it, and is not read from its start again until the item may be whole.
/// </summary>
internal struct ItemReader(bool isLines)
{
    private JsonReaderState _state = new(new JsonReaderOptions { MaxDepth = StrictJson.MaxDepth });
    private ItemScan _scan;
    private int _lineScanned;
    private bool _hasBegun;
    private bool _hasEnded;

    /// <summary>Bytes that were looked at, those looked at twice included.</summary>
    internal long Examined { get; private set; }

    /// <summary>Goes on.</summary>
    /// <param name="consumed">Bytes that are done with once the item has been handled.</param>
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

            item = (end < 0 ? rest : rest[..end]).Trim(" \t\r"u8); // blank lines are no items
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
            // Where the value is not whole yet, the state and the bytes of before are kept, and it is read again.
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

    /// <summary>White space before and after the array, which is done with. Before it there is nothing else.</summary>
    private readonly int BlanksOutside(ReadOnlySpan<byte> bytes, bool isLast)
    {
        if (_hasBegun && !_hasEnded)
        {
            return 0;
        }

        int blanks = bytes.Length - bytes.TrimStart(" \t\r\n"u8).Length;
        return isLast || blanks == bytes.Length ? blanks : throw new JsonException("an array is expected");
    }

    /// <summary>Remembers how far an item is there that is not whole.</summary>
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
