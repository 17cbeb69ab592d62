using System.Text.Json;
using Couic.Store;

namespace Couic.Api.Json;

/// <summary>The body of <c>POST /v1/{policy}</c>, and one item of a bulk request. Points into the body it was read from.</summary>
internal ref struct EntryRequest
{
    public Cidr Cidr;
    public CidrFault CidrFault;

    /// <summary>Empty for none.</summary>
    public ReadOnlySpan<byte> Tag;

    public ulong Expiration;

    /// <summary>The <c>metadata</c> object, reduced to its three members, as JSON; null when there is none.</summary>
    public byte[]? Metadata;

    private bool _hasCidr;
    private bool _hasTag;
    private bool _hasExpiration;
    private bool _hasMetadata;

    /// <summary>Reads an object, or an array of its members in order as clients of couic 1.x may send it.</summary>
    /// <exception cref="JsonException">Not JSON, or not of these types.</exception>
    public static EntryRequest Read(ReadOnlySpan<byte> json) =>
        EntryFastParser.TryRead(json, out EntryRequest request) ? request : ParseGeneral(json);

    /// <inheritdoc cref="Read"/>
    internal static EntryRequest ParseGeneral(ReadOnlySpan<byte> json)
    {
        EntryRequest request = default;
        Utf8JsonReader reader = StrictJson.Open(json);
        StrictJson.Next(ref reader);
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                request.ReadObject(ref reader, json);
                break;
            case JsonTokenType.StartArray:
                request.ReadArray(ref reader, json);
                break;
            default:
                throw new JsonException("an object is expected");
        }

        StrictJson.End(ref reader);
        return request;
    }

    private void ReadObject(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        while (true)
        {
            StrictJson.Next(ref reader);
            if (reader.TokenType == JsonTokenType.EndObject)
            {
                break;
            }

            if (reader.ValueTextEquals("cidr"u8))
            {
                StrictJson.Once(ref _hasCidr, "cidr");
                StrictJson.Next(ref reader);
                ReadCidr(ref reader);
            }
            else if (reader.ValueTextEquals("tag"u8))
            {
                StrictJson.Once(ref _hasTag, "tag");
                StrictJson.Next(ref reader);
                ReadTag(ref reader);
            }
            else if (reader.ValueTextEquals("expiration"u8))
            {
                StrictJson.Once(ref _hasExpiration, "expiration");
                StrictJson.Next(ref reader);
                Expiration = StrictJson.UInt64(ref reader, "expiration");
            }
            else if (reader.ValueTextEquals("metadata"u8))
            {
                StrictJson.Once(ref _hasMetadata, "metadata");
                StrictJson.Next(ref reader);
                Metadata = MetadataReader.Read(ref reader, json);
            }
            else
            {
                StrictJson.Next(ref reader);
                StrictJson.Skip(ref reader);
            }
        }

        StrictJson.Required(_hasCidr, "cidr");
        StrictJson.Required(_hasExpiration, "expiration");
    }

    private void ReadArray(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        StrictJson.Next(ref reader);
        ReadCidr(ref reader);
        StrictJson.Next(ref reader);
        ReadTag(ref reader);
        StrictJson.Next(ref reader);
        Expiration = StrictJson.UInt64(ref reader, "expiration");
        StrictJson.Next(ref reader);
        if (reader.TokenType != JsonTokenType.EndArray)
        {
            Metadata = MetadataReader.Read(ref reader, json);
            StrictJson.Next(ref reader);
            StrictJson.Expect(ref reader, JsonTokenType.EndArray, "an array of an entry has three or four members");
        }
    }

    private void ReadCidr(scoped ref Utf8JsonReader reader) =>
        CidrFault = Cidr.TryParse(StrictJson.Text(ref reader, "cidr"), out Cidr);

    private void ReadTag(scoped ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.Null)
        {
            Tag = StrictJson.Text(ref reader, "tag");
        }
    }
}
