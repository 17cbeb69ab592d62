using System.Text.Encodings.Web;
using System.Text.Json;
using Couic.CommandLine;

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
        using var whole = new MemoryStream(); // nothing is printed of a value that ends early
        using (var writer = new Utf8JsonWriter(whole, Options))
        {
            Copy(json, writer);
        }

        whole.WriteByte((byte)'\n');
        output.Write(whole.GetBuffer().AsSpan(0, (int)whole.Length));
    }

    /// <summary>Prints an object of the API with the notes of the command among its <c>warnings</c>; any other value as it is.</summary>
    /// <exception cref="JsonException">The bytes are no JSON.</exception>
    public static void WriteResult(Invocation invocation, ReadOnlySpan<byte> json)
    {
        List<string> notes = invocation.Context.Notes;
        var reader = new Utf8JsonReader(json);
        if (notes.Count == 0 || !reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            Write(invocation.Context.Output, json);
            return;
        }

        using var whole = new MemoryStream();
        using (var writer = new Utf8JsonWriter(whole, Options))
        {
            writer.WriteStartObject();
            var warnings = new List<string>();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("warnings"u8))
                {
                    reader.Read();
                    int depth = reader.CurrentDepth;
                    while (reader.Read() && reader.CurrentDepth > depth)
                    {
                        warnings.Add(reader.GetString() ?? "");
                    }

                    continue;
                }

                CopyToken(ref reader, writer);
                int start = reader.CurrentDepth;
                do
                {
                    reader.Read();
                    CopyToken(ref reader, writer);
                }
                while (reader.CurrentDepth > start || reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray);
            }

            WriteWarnings(writer, warnings.Union(notes));
            writer.WriteEndObject();
        }

        notes.Clear();
        whole.WriteByte((byte)'\n');
        invocation.Context.Output.Write(whole.GetBuffer().AsSpan(0, (int)whole.Length));
    }

    /// <summary>Prints an object of couicctl with the notes of the command as its <c>warnings</c>.</summary>
    public static void WriteObject(Invocation invocation, Action<Utf8JsonWriter> writeMembers)
    {
        using (var writer = new Utf8JsonWriter(invocation.Context.Output, Options))
        {
            writer.WriteStartObject();
            writeMembers(writer);
            WriteWarnings(writer, invocation.Context.Notes);
            writer.WriteEndObject();
        }

        invocation.Context.Notes.Clear();
        invocation.Context.Output.WriteByte((byte)'\n');
    }

    private static void WriteWarnings(Utf8JsonWriter writer, IEnumerable<string> warnings)
    {
        bool isAny = false;
        foreach (string warning in warnings)
        {
            if (!isAny)
            {
                writer.WriteStartArray("warnings"u8);
            }

            isAny = true;
            writer.WriteStringValue(warning);
        }

        if (isAny)
        {
            writer.WriteEndArray();
        }
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
