using System.Text.Json;
using Couic.Http;

namespace Couic.Api.Json;

/// <summary>The <c>metadata</c> of an entry, which is copied into reports.</summary>
internal static class MetadataReader
{
    /// <summary>Checks the present value and gives its three members as compact JSON; null for null.</summary>
    /// <param name="json">What the reader reads.</param>
    public static byte[]? Read(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        if (reader.TokenType == JsonTokenType.Null)
        {
            return null;
        }

        StrictJson.Expect(ref reader, JsonTokenType.StartObject, "metadata must be an object or null");
        bool hasKind = false, hasDetail = false, hasExtra = false;
        ReadOnlySpan<byte> kind = default, detail = default, extra = "null"u8;
        while (true)
        {
            StrictJson.Next(ref reader);
            if (reader.TokenType == JsonTokenType.EndObject)
            {
                break;
            }

            if (reader.ValueTextEquals("kind"u8))
            {
                StrictJson.Once(ref hasKind, "metadata.kind");
                kind = ReadText(ref reader, json, "metadata.kind must be a string");
            }
            else if (reader.ValueTextEquals("detail"u8))
            {
                StrictJson.Once(ref hasDetail, "metadata.detail");
                detail = ReadText(ref reader, json, "metadata.detail must be a string");
            }
            else if (reader.ValueTextEquals("extra"u8))
            {
                StrictJson.Once(ref hasExtra, "metadata.extra");
                extra = ReadExtra(ref reader, json);
            }
            else
            {
                StrictJson.Next(ref reader);
                StrictJson.Skip(ref reader);
            }
        }

        StrictJson.Required(hasKind, "metadata.kind");
        StrictJson.Required(hasDetail, "metadata.detail");
        return Join(kind, detail, extra);
    }

    private static ReadOnlySpan<byte> ReadText(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json, string what)
    {
        StrictJson.Next(ref reader);
        StrictJson.Expect(ref reader, JsonTokenType.String, what);
        return json[(int)reader.TokenStartIndex..(int)reader.BytesConsumed];
    }

    private static ReadOnlySpan<byte> ReadExtra(scoped ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        StrictJson.Next(ref reader);
        int start = (int)reader.TokenStartIndex;
        if (reader.TokenType != JsonTokenType.Null)
        {
            StrictJson.Expect(ref reader, JsonTokenType.StartObject, "metadata.extra must be an object or null");
            StrictJson.Skip(ref reader);
        }

        return json[start..(int)reader.BytesConsumed];
    }

    private static byte[] Join(ReadOnlySpan<byte> kind, ReadOnlySpan<byte> detail, ReadOnlySpan<byte> extra)
    {
        var output = new OutputBuffer();
        output.Append("{\"kind\":"u8);
        output.Append(kind);
        output.Append(",\"detail\":"u8);
        output.Append(detail);
        output.Append(",\"extra\":"u8);
        output.Append(extra);
        output.Append("}"u8);
        byte[] joined = output.Written.ToArray();
        output.Release();
        return joined;
    }
}
