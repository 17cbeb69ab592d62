using System.Text.Json;

namespace Couic.Http.Json;

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
/// consumed is given again, with more behind it.
/// </summary>
internal struct ItemReader(bool isLines)
{
    private JsonReaderState _state = new(new JsonReaderOptions { MaxDepth = StrictJson.MaxDepth });
    private bool _hasEnded;

    /// <summary>Goes on.</summary>
    /// <param name="consumed">Bytes that are done with once the item has been handled.</param>
    /// <param name="item">One JSON value; of a line, not known to be valid.</param>
    /// <exception cref="JsonException">The array itself is broken.</exception>
    public ItemStep Next(ReadOnlySpan<byte> bytes, bool isLast, out int consumed, out ReadOnlySpan<byte> item) =>
        isLines ? NextLine(bytes, isLast, out consumed, out item) : NextValue(bytes, isLast, out consumed, out item);

    private static ItemStep NextLine(ReadOnlySpan<byte> bytes, bool isLast, out int consumed, out ReadOnlySpan<byte> item)
    {
        consumed = 0;
        item = default;
        while (item.IsEmpty)
        {
            ReadOnlySpan<byte> rest = bytes[consumed..];
            int end = rest.IndexOf((byte)'\n');
            if (end < 0 && (!isLast || rest.IsEmpty))
            {
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
        var reader = new Utf8JsonReader(bytes, isLast, _state);
        while (true)
        {
            // Where the value is not whole yet, the state and the bytes of before are kept, and it is read again.
            JsonReaderState before = reader.CurrentState;
            int start = (int)reader.BytesConsumed;
            if (!reader.Read())
            {
                consumed = start;
                _state = before;
                return _hasEnded ? End(isLast) : isLast ? throw new JsonException("empty") : ItemStep.More;
            }

            if (reader.CurrentDepth == 0 && reader.TokenType == JsonTokenType.StartArray)
            {
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
                return ItemStep.More;
            }

            consumed = (int)reader.BytesConsumed;
            _state = reader.CurrentState;
            item = bytes[first..consumed];
            return ItemStep.Item;
        }
    }

    private static ItemStep End(bool isLast) => isLast ? ItemStep.End : ItemStep.More;
}
