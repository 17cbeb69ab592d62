using System.Buffers.Text;

namespace Couic.Http;

/// <summary>Percent-decoding (RFC 3986 §2.1): a malformed escape stays as written.</summary>
internal static class Percent
{
    /// <summary>Decodes into a buffer of at least the same length. Returns the decoded length.</summary>
    public static int Decode(ReadOnlySpan<byte> text, Span<byte> decoded)
    {
        int n = text.IndexOf((byte)'%');
        if (n < 0)
        {
            text.CopyTo(decoded);
            return text.Length;
        }

        text[..n].CopyTo(decoded);
        for (int i = n; i < text.Length; i++)
        {
            if (text[i] == '%' && i + 2 < text.Length && Hex(text[i + 1]) is >= 0 and int high && Hex(text[i + 2]) is >= 0 and int low)
            {
                decoded[n++] = (byte)((high << 4) | low);
                i += 2;
            }
            else
            {
                decoded[n++] = text[i];
            }
        }

        return n;
    }

    private static int Hex(byte c) => c switch
    {
        >= (byte)'0' and <= (byte)'9' => c - '0',
        >= (byte)'a' and <= (byte)'f' => c - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => c - 'A' + 10,
        _ => -1,
    };
}
