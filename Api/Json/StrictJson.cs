using System.Buffers.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Couic.Api.Json;

/// <summary>
/// Checks that the framework's reader omits: valid UTF-8, no lone surrogate escapes, unsigned integers, skipping with the same
/// strictness. Every fault is a <see cref="JsonException"/>, whose text is from <see cref="Explain"/>.
/// </summary>
internal static class StrictJson
{
    /// <summary>Nesting of objects and arrays; deeper values are refused.</summary>
    public const int MaxDepth = 128;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = MaxDepth };

    public static Utf8JsonReader Open(ReadOnlySpan<byte> json)
    {
        if (!Utf8.IsValid(json))
        {
            throw new JsonException("not UTF-8");
        }

        return new Utf8JsonReader(json, Options);
    }

    /// <summary>The next token; the end is an error.</summary>
    public static void Next(scoped ref Utf8JsonReader reader)
    {
        if (!reader.Read())
        {
            throw new JsonException("empty");
        }

        if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && reader.ValueIsEscaped
            && HasLoneSurrogate(reader.ValueSpan))
        {
            throw new JsonException("a lone surrogate in a string");
        }
    }

    /// <summary>Nothing but white space may follow.</summary>
    public static void End(scoped ref Utf8JsonReader reader)
    {
        if (reader.Read())
        {
            throw new JsonException("more than one value");
        }
    }

    /// <summary>Skips the present value, whatever it is, with all checks.</summary>
    public static void Skip(scoped ref Utf8JsonReader reader)
    {
        int depth = 0;
        do
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject or JsonTokenType.StartArray:
                    depth++;
                    break;
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    depth--;
                    break;
            }

            if (depth > 0)
            {
                Next(ref reader);
            }
        }
        while (depth > 0);
    }

    public static void Expect(scoped ref Utf8JsonReader reader, JsonTokenType type, string what)
    {
        if (reader.TokenType != type)
        {
            throw new JsonException(what);
        }
    }

    /// <summary>A u64: digits alone; no sign, fraction or exponent.</summary>
    public static ulong UInt64(scoped ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType == JsonTokenType.Number && !reader.ValueSpan.ContainsAnyExceptInRange((byte)'0', (byte)'9')
            && Utf8Parser.TryParse(reader.ValueSpan, out ulong value, out int used) && used == reader.ValueSpan.Length)
        {
            return value;
        }

        throw new JsonException($"{name} must be an integer from 0 to 18446744073709551615");
    }

    /// <summary>The bytes of a string: in place when nothing is escaped, otherwise a copy.</summary>
    public static ReadOnlySpan<byte> Text(scoped ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            throw new JsonException($"{name} must be a string");
        }

        if (!reader.ValueIsEscaped)
        {
            return reader.ValueSpan;
        }

        var copy = new byte[reader.ValueSpan.Length];
        return copy.AsSpan(0, reader.CopyString(copy));
    }

    /// <summary>Records a member; a duplicate is an error.</summary>
    public static void Once(ref bool seen, string name)
    {
        if (seen)
        {
            throw new JsonException($"{name} is there twice");
        }

        seen = true;
    }

    public static void Required(bool seen, string name)
    {
        if (!seen)
        {
            throw new JsonException($"{name} is missing");
        }
    }

    /// <summary>The fault and its place, without a quotation of the body.</summary>
    public static string Explain(JsonException e) => e.BytePositionInLine is { } position
        ? $"the body is not valid JSON (line {e.LineNumber + 1}, byte {position + 1})"
        : $"the body is not as expected: {e.Message}";

    /// <summary>Whether a string with escapes, known to be well-formed, has half of a surrogate pair.</summary>
    private static bool HasLoneSurrogate(ReadOnlySpan<byte> raw)
    {
        bool highBefore = false;
        for (int i = 0; i < raw.Length; i++)
        {
            bool isHigh = false, isLow = false;
            if (raw[i] == '\\')
            {
                i++;
                if (raw[i] == 'u')
                {
                    _ = Utf8Parser.TryParse(raw.Slice(i + 1, 4), out ushort unit, out _, 'x');
                    isHigh = char.IsHighSurrogate((char)unit);
                    isLow = char.IsLowSurrogate((char)unit);
                    i += 4;
                }
            }

            if (highBefore != isLow)
            {
                return true;
            }

            highBefore = isHigh;
        }

        return highBefore;
    }
}
