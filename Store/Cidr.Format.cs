using System.Buffers.Binary;
using System.Text;

namespace Couic.Store;

public readonly partial struct Cidr
{
    /// <summary>The texts of all numbers that an address has: a dozen are written with each request.</summary>
    private static readonly uint[] Decimals = MakeDecimals();

    /// <summary>Writes the canonical text (RFC 5952, dotted tails only in <c>::ffff:0:0/96</c>). Returns its length.</summary>
    /// <param name="destination">At least <see cref="MaxTextLength"/> bytes.</param>
    public int Format(Span<byte> destination)
    {
        int n = FormatAddress(destination);
        destination[n++] = (byte)'/';
        return n + WriteDecimal(Length, destination[n..]);
    }

    /// <summary>Writes the address alone. Returns its length.</summary>
    /// <param name="destination">At least <see cref="MaxTextLength"/> bytes.</param>
    public int FormatAddress(Span<byte> destination) =>
        Family == IpFamily.V4 ? WriteDotted(V4, destination) : WriteV6(destination);

    public override string ToString()
    {
        Span<byte> text = stackalloc byte[MaxTextLength];
        return Encoding.ASCII.GetString(text[..Format(text)]);
    }

    /// <summary>The address without its length.</summary>
    public string AddressText()
    {
        Span<byte> text = stackalloc byte[MaxTextLength];
        return Encoding.ASCII.GetString(text[..FormatAddress(text)]);
    }

    private int WriteV6(Span<byte> destination)
    {
        if (High == 0 && Low >> 32 == 0xffff)
        {
            "::ffff:"u8.CopyTo(destination);
            return 7 + WriteDotted((uint)Low, destination[7..]);
        }

        FindZeroRun(out int runStart, out int runLength);
        int n = 0;
        for (int i = 0; i < 8; i++)
        {
            if (i == runStart)
            {
                "::"u8.CopyTo(destination[n..]);
                n += 2;
                i += runLength - 1;
                continue;
            }

            if (i > 0 && i != runStart + runLength)
            {
                destination[n++] = (byte)':';
            }

            n += WriteHex(Group(i), destination[n..]);
        }

        return n;
    }

    private int Group(int index) => (ushort)((index < 4 ? High : Low) >> (48 - (16 * (index & 3))));

    /// <summary>The longest run of two or more zero groups, the first of equals; start -9 when there is none.</summary>
    private void FindZeroRun(out int start, out int length)
    {
        start = -9;
        length = 1;
        for (int i = 0; i < 8; i++)
        {
            int run = 0;
            while (i + run < 8 && Group(i + run) == 0)
            {
                run++;
            }

            if (run > length)
            {
                start = i;
                length = run;
            }

            i += run;
        }
    }

    private static int WriteDotted(uint address, Span<byte> destination)
    {
        int n = 0;
        for (int shift = 24; shift >= 0; shift -= 8)
        {
            n += WriteDecimal((byte)(address >> shift), destination[n..]);
            if (shift > 0)
            {
                destination[n++] = (byte)'.';
            }
        }

        return n;
    }

    /// <param name="destination">At least four bytes: what stands behind the digits may change.</param>
    private static int WriteDecimal(byte value, Span<byte> destination)
    {
        uint text = Decimals[value];
        BinaryPrimitives.WriteUInt32LittleEndian(destination, text);
        return (int)(text >> 24);
    }

    /// <summary>Up to three digits each, the first in the lowest byte, and in the highest how many they are.</summary>
    private static uint[] MakeDecimals()
    {
        var texts = new uint[256];
        for (int i = 0; i < texts.Length; i++)
        {
            uint digits = 0, count = 0;
            for (int rest = i; count == 0 || rest > 0; rest /= 10)
            {
                digits = (digits << 8) | (uint)('0' + (rest % 10));
                count++;
            }

            texts[i] = digits | (count << 24);
        }

        return texts;
    }

    private static int WriteHex(int value, Span<byte> destination)
    {
        int n = 0;
        for (int shift = 12; shift >= 0; shift -= 4)
        {
            int digit = (value >> shift) & 15;
            if (n > 0 || digit != 0 || shift == 0)
            {
                destination[n++] = "0123456789abcdef"u8[digit];
            }
        }

        return n;
    }
}
