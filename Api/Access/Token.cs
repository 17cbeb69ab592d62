using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;

namespace Couic.Api.Access;

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
            BinaryPrimitives.ReadUInt64BigEndian(bytes),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));
    }

    public Guid ToGuid()
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, High);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], Low);
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

        int bad = (text[8] ^ '-') | (text[13] ^ '-') | (text[18] ^ '-') | (text[23] ^ '-');
        ulong faults = (ulong)bad;
        ulong high = (Hex(Eight(text), ref faults) << 32) | Hex(Four(text[9..]) | (Four(text[14..]) << 32), ref faults);
        ulong low = (Hex(Four(text[19..]) | (Four(text[24..]) << 32), ref faults) << 32) | Hex(Eight(text[28..]), ref faults);
        token = faults == 0 ? new Token(high, low) : default;
        return faults == 0;
    }

    /// <summary>The secret itself; only for client files and the answers about clients, never for a log.</summary>
    public string Reveal() => ToGuid().ToString("D", CultureInfo.InvariantCulture);

    /// <summary>Without the secret, so that it cannot slip into a message.</summary>
    public override string ToString() => "(token)";

    private static ulong Eight(ReadOnlySpan<byte> text) => BinaryPrimitives.ReadUInt64LittleEndian(text);

    private static ulong Four(ReadOnlySpan<byte> text) => BinaryPrimitives.ReadUInt32LittleEndian(text);

    /// <summary>
    /// Eight hex digits, the first in the lowest byte, all in one step: no branch and no table on the secret's digits.
    /// </summary>
    /// <param name="faults">Gets bits where a character is not a digit.</param>
    private static ulong Hex(ulong text, ref ulong faults)
    {
        const ulong Each = 0x0101_0101_0101_0101;
        ulong isLetter = ((text >> 6) & Each) * 0xff;
        ulong digits = (text & (Each * 0x0f)) + (isLetter & (Each * 9));

        // Written out again it must be the same text; and below ten it must have been a digit, from ten to fifteen a letter.
        faults |= (digits + (Each * '0') + (isLetter & (Each * ('a' - '0' - 10)))) ^ (text | (isLetter & (Each * 0x20)));
        faults |= ((digits + (Each * 6)) ^ isLetter) & (Each * 0x10);
        faults |= digits & (Each * 0x10);

        digits = BinaryPrimitives.ReverseEndianness(digits);
        digits = (digits | (digits >> 4)) & 0x00ff_00ff_00ff_00ff;
        digits = (digits | (digits >> 8)) & 0x0000_ffff_0000_ffff;
        return (digits | (digits >> 16)) & 0xffff_ffff;
    }
}
