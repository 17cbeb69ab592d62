using System.Buffers;
using System.Buffers.Text;

namespace Couic.Http;

/// <summary>
/// Writes JSON as the API has it: compact, UTF-8, non-ASCII not escaped. The framework's writer escapes characters
/// beyond the basic plane with each of its encoders, and is slower on small answers.
/// </summary>
internal static class JsonText
{
    private static readonly SearchValues<byte> Escaped =
        SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(b => (byte)b), (byte)'"', (byte)'\\']);

    public static void Raw(this IBufferWriter<byte> writer, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(writer.GetSpan(bytes.Length));
        writer.Advance(bytes.Length);
    }

    /// <summary>A string with its quotes.</summary>
    public static void String(this IBufferWriter<byte> writer, ReadOnlySpan<byte> utf8)
    {
        int plain = utf8.IndexOfAny(Escaped);
        if (plain < 0)
        {
            Span<byte> room = writer.GetSpan(utf8.Length + 2);
            room[0] = (byte)'"';
            utf8.CopyTo(room[1..]);
            room[utf8.Length + 1] = (byte)'"';
            writer.Advance(utf8.Length + 2);
            return;
        }

        writer.Raw("\""u8);
        for (; plain >= 0; plain = utf8.IndexOfAny(Escaped))
        {
            writer.Raw(utf8[..plain]);
            writer.Escape(utf8[plain]);
            utf8 = utf8[(plain + 1)..];
        }

        writer.Raw(utf8);
        writer.Raw("\""u8);
    }

    /// <summary>A string with its quotes; a lone surrogate becomes U+FFFD.</summary>
    public static void String(this IBufferWriter<byte> writer, string text)
    {
        int max = System.Text.Encoding.UTF8.GetMaxByteCount(text.Length);
        byte[] rented = ArrayPool<byte>.Shared.Rent(max);
        int length = System.Text.Encoding.UTF8.GetBytes(text, rented);
        writer.String(rented.AsSpan(0, length));
        ArrayPool<byte>.Shared.Return(rented);
    }

    public static void Number(this IBufferWriter<byte> writer, ulong value)
    {
        Utf8Formatter.TryFormat(value, writer.GetSpan(20), out int length);
        writer.Advance(length);
    }

    public static void Number(this IBufferWriter<byte> writer, long value)
    {
        Utf8Formatter.TryFormat(value, writer.GetSpan(20), out int length);
        writer.Advance(length);
    }

    private static void Escape(this IBufferWriter<byte> writer, byte c)
    {
        ReadOnlySpan<byte> text = c switch
        {
            (byte)'"' => "\\\""u8,
            (byte)'\\' => "\\\\"u8,
            (byte)'\n' => "\\n"u8,
            (byte)'\r' => "\\r"u8,
            (byte)'\t' => "\\t"u8,
            (byte)'\b' => "\\b"u8,
            (byte)'\f' => "\\f"u8,
            _ => [(byte)'\\', (byte)'u', (byte)'0', (byte)'0', "0123456789abcdef"u8[c >> 4], "0123456789abcdef"u8[c & 15]],
        };
        writer.Raw(text);
    }
}
