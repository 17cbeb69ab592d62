using System.Text.Encodings.Web;
using System.Text.Json;

namespace Couic.Cli.Output;

/// <summary>An answer of the API as <c>--json</c> prints it: the same value, indented by two spaces.</summary>
internal static class IndentedJson
{
    public static readonly JsonWriterOptions Options = new()
    {
        Indented = true,
        IndentSize = 2,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        SkipValidation = true,
    };

    /// <summary>Copies one value and ends the line.</summary>
    /// <exception cref="JsonException">The bytes are no JSON.</exception>
    public static void Write(Stream output, ReadOnlySpan<byte> json)
    {
        using (var writer = new Utf8JsonWriter(output, Options))
        {
            Copy(json, writer);
        }

        output.WriteByte((byte)'\n');
    }

    /// <summary>Copies one value.</summary>
    /// <exception cref="JsonException">The bytes are no JSON.</exception>
    public static void Copy(ReadOnlySpan<byte> json, Utf8JsonWriter writer)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
            CopyToken(ref reader, writer);
        }
    }

    /// <summary>Copies the current token. Numbers keep their digits.</summary>
    private static void CopyToken(ref Utf8JsonReader reader, Utf8JsonWriter writer)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                writer.WriteStartObject();
                break;
            case JsonTokenType.EndObject:
                writer.WriteEndObject();
                break;
            case JsonTokenType.StartArray:
                writer.WriteStartArray();
                break;
            case JsonTokenType.EndArray:
                writer.WriteEndArray();
                break;
            case JsonTokenType.PropertyName when reader.ValueIsEscaped:
                writer.WritePropertyName(reader.GetString()!);
                break;
            case JsonTokenType.PropertyName:
                writer.WritePropertyName(reader.ValueSpan);
                break;
            case JsonTokenType.String when reader.ValueIsEscaped:
                writer.WriteStringValue(reader.GetString());
                break;
            case JsonTokenType.String:
                writer.WriteStringValue(reader.ValueSpan);
                break;
            case JsonTokenType.Null:
                writer.WriteNullValue();
                break;
            case JsonTokenType.Number:
                CopyNumber(ref reader, writer);
                break;
            default:
                writer.WriteBooleanValue(reader.TokenType == JsonTokenType.True);
                break;
        }
    }

    /// <summary>Keeps the digits. (WriteRawValue does so, too, but does not indent array items.)</summary>
    private static void CopyNumber(ref Utf8JsonReader reader, Utf8JsonWriter writer)
    {
        if (reader.TryGetUInt64(out ulong number))
        {
            writer.WriteNumberValue(number);
        }
        else if (reader.TryGetDecimal(out decimal fraction))
        {
            writer.WriteNumberValue(fraction);
        }
        else
        {
            writer.WriteNumberValue(reader.GetDouble());
        }
    }
}
