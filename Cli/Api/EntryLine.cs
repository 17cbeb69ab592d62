using System.Text.Json;
using Couic.Store;

namespace Couic.Cli.Api;

/// <summary>What a list shows of one entry, read in place.</summary>
internal readonly ref struct EntryLine
{
    public Cidr Cidr { get; private init; }

    /// <summary>UTF-8; empty for none.</summary>
    public ReadOnlySpan<byte> Tag { get; private init; }

    /// <summary>Seconds since 1970, 0 for never.</summary>
    public ulong Expiration { get; private init; }

    /// <exception cref="JsonException">It is no entry.</exception>
    public static EntryLine Parse(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        ReadOnlySpan<byte> cidr = default, tag = default;
        ulong expiration = 0;
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
            }
            else if (reader.ValueTextEquals("expiration"u8))
            {
                reader.Read();
                expiration = reader.TokenType == JsonTokenType.Number && reader.TryGetUInt64(out ulong value) ? value : throw new JsonException();
            }
            else
            {
                reader.Skip();
            }
        }

        return Cidr.TryParse(cidr, out Cidr parsed) == CidrFault.None
            ? new EntryLine { Cidr = parsed, Tag = tag, Expiration = expiration }
            : throw new JsonException();
    }

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
