using System.Text.Json;
using Couic.Api.Contracts;
using Couic.Store;

namespace Couic.Cli.Api;

/// <summary>The fields of an entry that a list shows, parsed in place.</summary>
internal readonly ref struct EntryLine
{
    public Cidr Cidr { get; private init; }

    /// <summary>UTF-8; empty for none.</summary>
    public ReadOnlySpan<byte> Tag { get; private init; }

    public bool HasTag { get; private init; }

    /// <summary>Seconds since 1970, 0 for never.</summary>
    public ulong Expiration { get; private init; }

    public bool HasExpiration { get; private init; }

    /// <summary>Seconds since 1970.</summary>
    public ulong Creation { get; private init; }

    /// <summary>Null where entries are not counted, and without details.</summary>
    public ulong? Packets { get; private init; }

    /// <summary>Seconds since 1970, 0 for never; null as <see cref="Packets"/>.</summary>
    public ulong? LastHit { get; private init; }

    /// <summary>UTF-8; empty when unknown, and without details.</summary>
    public ReadOnlySpan<byte> AddedBy { get; private init; }

    /// <summary>UTF-8; empty for none.</summary>
    public ReadOnlySpan<byte> Reason { get; private init; }

    /// <summary>The JSON array of all claims; empty when there is only one.</summary>
    public ReadOnlySpan<byte> Claims { get; private init; }

    /// <summary>Whether an export has it for a claim besides the one that its entry shows.</summary>
    public bool IsClaim { get; private init; }

    /// <summary>Only an export names it.</summary>
    public Policy? Policy { get; private init; }

    /// <summary>Whether an object describes the list instead of an entry: <c>{"type":"metadata", …}</c>, or the first line of an export.</summary>
    public static bool IsMetadata(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        bool isMetadata = false;
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("cidr"u8))
            {
                return false;
            }

            bool isType = reader.ValueTextEquals("type"u8);
            isMetadata |= reader.ValueTextEquals("couic_export"u8);
            reader.Read();
            isMetadata |= isType && reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("metadata"u8);
            reader.Skip();
        }

        return isMetadata;
    }

    /// <exception cref="JsonException">The text is not an entry.</exception>
    public static EntryLine Parse(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        ReadOnlySpan<byte> cidr = default, tag = default, addedBy = default, reason = default, claims = default;
        ulong expiration = 0;
        ulong? creation = null, packets = null, lastHit = null;
        bool hasTag = false, hasExpiration = false, isClaim = false;
        Policy? policy = null;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException();
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("cidr"u8))
            {
                cidr = Text(ref reader);
            }
            else if (reader.ValueTextEquals("tag"u8))
            {
                tag = Text(ref reader);
                hasTag = true;
            }
            else if (reader.ValueTextEquals("claims"u8))
            {
                reader.Read();
                int start = (int)reader.TokenStartIndex;
                reader.Skip();
                claims = json[start..(int)reader.BytesConsumed];
            }
            else if (reader.ValueTextEquals("claim"u8))
            {
                reader.Read();
                isClaim = reader.TokenType == JsonTokenType.True;
                reader.Skip();
            }
            else if (reader.ValueTextEquals("reason"u8))
            {
                reason = Text(ref reader);
            }
            else if (reader.ValueTextEquals("policy"u8))
            {
                policy = Policies.TryParse(System.Text.Encoding.UTF8.GetString(Text(ref reader)).AsSpan(), out Policy named) ? named : throw new JsonException();
            }
            else if (reader.ValueTextEquals("expiration"u8))
            {
                expiration = Number(ref reader) ?? throw new JsonException();
                hasExpiration = true;
            }
            else if (reader.ValueTextEquals("creation"u8))
            {
                creation = Number(ref reader);
            }
            else if (reader.ValueTextEquals("packets"u8))
            {
                packets = Number(ref reader);
            }
            else if (reader.ValueTextEquals("last_hit"u8))
            {
                lastHit = Number(ref reader);
            }
            else if (reader.ValueTextEquals("added_by"u8))
            {
                addedBy = Text(ref reader);
            }
            else
            {
                reader.Skip();
            }
        }

        return Cidr.TryParse(cidr, out Cidr parsed) == CidrFault.None || Cidr.TryParseAddress(cidr, out parsed)
            ? new EntryLine
            {
                Cidr = parsed,
                Tag = tag,
                HasTag = hasTag,
                Expiration = expiration,
                HasExpiration = hasExpiration,
                Policy = policy,
                Creation = creation ?? 0,
                Packets = packets,
                LastHit = lastHit,
                AddedBy = addedBy,
                Reason = reason,
                Claims = claims,
                IsClaim = isClaim,
            }
            : throw new JsonException();
    }

    /// <summary>Null for any other value.</summary>
    private static ulong? Number(ref Utf8JsonReader reader)
    {
        reader.Read();
        ulong? number = reader.TokenType == JsonTokenType.Number && reader.TryGetUInt64(out ulong value) ? value : null;
        reader.Skip();
        return number;
    }

    /// <summary>All claims; empty when there is only the one that the entry shows.</summary>
    public ClaimRecord[] ReadClaims() => Claims.IsEmpty ? [] : JsonSerializer.Deserialize(Claims, WireJson.Default.ClaimRecordArray) ?? [];

    private static ReadOnlySpan<byte> Text(scoped ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.Null => default,
            JsonTokenType.String when !reader.ValueIsEscaped => reader.ValueSpan,
            JsonTokenType.String => System.Text.Encoding.UTF8.GetBytes(reader.GetString()!),
            _ => throw new JsonException(),
        };
    }
}

internal delegate void JsonElementAction(ReadOnlySpan<byte> element);

/// <summary>Iterates over a JSON array of any length as it arrives; memory is bounded by its longest element.</summary>
internal static class JsonArrayReader
{
    private const int FirstBuffer = 64 * 1024;

    /// <param name="action">Receives the text of each element; the buffer is reused after the call.</param>
    /// <exception cref="JsonException">The stream is not a JSON array, or is truncated.</exception>
    public static void ForEach(Stream stream, JsonElementAction action)
    {
        byte[] buffer = new byte[FirstBuffer];
        int length = 0;
        var state = default(JsonReaderState);
        bool started = false, ended = false;
        while (!ended)
        {
            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, buffer.Length * 2);
            }

            int n = stream.Read(buffer, length, buffer.Length - length);
            length += n;
            int used = Take(buffer.AsSpan(0, length), n == 0, ref state, ref started, ref ended, action);
            if (n == 0 && !ended)
            {
                throw new JsonException();
            }

            buffer.AsSpan(used, length - used).CopyTo(buffer);
            length -= used;
        }
    }

    /// <summary>Consumes the complete elements at the start; returns their length in bytes.</summary>
    private static int Take(
        ReadOnlySpan<byte> bytes, bool isLast, ref JsonReaderState state, ref bool started, ref bool ended, JsonElementAction action)
    {
        int used = 0;
        while (true)
        {
            var reader = new Utf8JsonReader(bytes[used..], isLast, state);
            if (!reader.Read())
            {
                return used;
            }

            if (!started)
            {
                started = reader.TokenType == JsonTokenType.StartArray ? true : throw new JsonException();
            }
            else if (reader.TokenType == JsonTokenType.EndArray)
            {
                ended = true;
                return used;
            }
            else
            {
                int start = used + (int)reader.TokenStartIndex;
                if (!reader.TrySkip())
                {
                    return used;
                }

                action(bytes[start..(used + (int)reader.BytesConsumed)]);
            }

            used += (int)reader.BytesConsumed;
            state = reader.CurrentState;
        }
    }
}
