using System.Globalization;
using System.Security.Cryptography;

namespace Couic.Access;

/// <summary>A client's secret: 128 bits, written as a hyphenated UUID.</summary>
public readonly record struct Token(ulong High, ulong Low)
{
    /// <summary>Characters of the text form.</summary>
    public const int TextLength = 36;

    /// <summary>A random UUID of version 4 (RFC 9562 §5.4) from the system's generator.</summary>
    public static Token Random()
    {
        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0f) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3f) | 0x80);
        return FromGuid(new Guid(bytes, bigEndian: true));
    }

    public static Token FromGuid(Guid uuid)
    {
        Span<byte> bytes = stackalloc byte[16];
        uuid.TryWriteBytes(bytes, bigEndian: true, out _);
        return new Token(
            System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(bytes),
            System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));
    }

    public Guid ToGuid()
    {
        Span<byte> bytes = stackalloc byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(bytes, High);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], Low);
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>
    /// Takes the hyphenated form with hex digits of either case, and nothing else: Guid.Parse would also take braces, blanks,
    /// no hyphens and "0x" groups. The time does not depend on which digit is wrong. Allocates nothing.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out Token token)
    {
        token = default;
        if (text.Length != TextLength)
        {
            return false;
        }

        ulong high = 0, low = 0;
        int bad = 0;
        for (int i = 0; i < TextLength; i++)
        {
            if (i is 8 or 13 or 18 or 23)
            {
                bad |= text[i] ^ '-';
                continue;
            }

            int digit = HexDigit(text[i]);
            bad |= digit & ~0xf;
            high = (high << 4) | (low >> 60);
            low = (low << 4) | (uint)(digit & 0xf);
        }

        token = bad == 0 ? new Token(high, low) : default;
        return bad == 0;
    }

    /// <summary>The secret itself; only for client files and the answers about clients, never for a log.</summary>
    public string Reveal() => ToGuid().ToString("D", CultureInfo.InvariantCulture);

    /// <summary>Without the secret, so that it cannot slip into a message.</summary>
    public override string ToString() => "(token)";

    private static int HexDigit(byte c)
    {
        // No branch and no table on the secret's digits. Each mask is all ones when c lies in its range.
        int number = Within(c, '0', '9');
        int letter = Within(c | 0x20, 'a', 'f');
        return (number & (c - '0')) | (letter & ((c | 0x20) - 'a' + 10)) | (~(number | letter) & 0x10);
    }

    private static int Within(int c, int first, int last) => ~(((c - first) | (last - c)) >> 31);
}
