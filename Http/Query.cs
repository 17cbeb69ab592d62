using System.Buffers.Text;
using System.Text;

namespace Couic.Http;

/// <summary>The query of a target: <c>name=value</c> pairs between ampersands; <c>+</c> stays a plus.</summary>
internal readonly ref struct Query(ReadOnlySpan<byte> text)
{
    private readonly ReadOnlySpan<byte> _text = text;

    public bool IsEmpty => _text.IsEmpty;

    /// <summary>The first value of a name, decoded. Names are decoded too, and case counts.</summary>
    /// <returns>How many times the name is there.</returns>
    public int Find(ReadOnlySpan<byte> name, out string value)
    {
        value = string.Empty;
        if (_text.IsEmpty)
        {
            return 0;
        }

        int count = 0;
        Span<byte> room = _text.Length <= 512 ? stackalloc byte[_text.Length] : new byte[_text.Length];
        foreach (Range range in _text.Split((byte)'&'))
        {
            ReadOnlySpan<byte> pair = _text[range];
            int equals = pair.IndexOf((byte)'=');
            int length = Percent.Decode(equals < 0 ? pair : pair[..equals], room);
            if (!room[..length].SequenceEqual(name))
            {
                continue;
            }

            if (count++ == 0)
            {
                length = Percent.Decode(equals < 0 ? [] : pair[(equals + 1)..], room);
                value = Encoding.UTF8.GetString(room[..length]);
            }
        }

        return count;
    }

    /// <summary>Whether a name has exactly this value, the first one counting.</summary>
    public bool Has(ReadOnlySpan<byte> name, string value) => Find(name, out string found) > 0 && found == value;
}

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
