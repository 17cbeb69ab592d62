using System.Buffers.Binary;
using System.Text;

namespace Couic.Store;

/// <summary>
/// An address block. The address is left-aligned in 128 bits (an IPv4 address fills the top 32), so that masking,
/// ordering and prefix tests are the same arithmetic for both families. May carry host bits until <see cref="Network"/>.
/// </summary>
public readonly struct Cidr : IEquatable<Cidr>, IComparable<Cidr>
{
    /// <summary>Longest text form: eight groups with a dotted tail and <c>/128</c>.</summary>
    public const int MaxTextLength = 49;

    public Cidr(IpFamily family, ulong high, ulong low, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, family == IpFamily.V4 ? 32 : 128);
        High = high;
        Low = low;
        Length = (byte)length;
        Family = family;
    }

    /// <summary>Bits 0 to 63 of the address, in network order.</summary>
    public ulong High { get; }

    /// <summary>Bits 64 to 127 of the address; 0 for IPv4.</summary>
    public ulong Low { get; }

    /// <summary>Prefix length in bits: 0 to 32, or 0 to 128.</summary>
    public byte Length { get; }

    public IpFamily Family { get; }

    public int MaxLength => Family == IpFamily.V4 ? 32 : 128;

    /// <summary>The IPv4 address as a number; meaningless for IPv6.</summary>
    public uint V4 => (uint)(High >> 32);

    /// <summary>Whether the address lies in <c>::ffff:0:0/96</c>; such an entry matches no IPv4 packet.</summary>
    public bool IsV4Mapped => Family == IpFamily.V6 && High == 0 && Low >> 32 == 0xffff && Length >= 96;

    /// <summary>The same block with its host bits cleared.</summary>
    public Cidr Network => WithLength(Length);

    public bool IsNetwork => this == Network;

    /// <summary>
    /// Whether host bits are set below a prefix so short that the address cannot be meant: <c>203.0.113.0/2</c> is <c>203.0.113.0/24</c>
    /// cut off, and covers a quarter of the internet.
    /// </summary>
    public bool HasStrayHostBits => Length < (Family == IpFamily.V4 ? 8 : 16) && !IsNetwork;

    /// <summary>The block of that length around this address, host bits cleared.</summary>
    public Cidr WithLength(int length) => new(Family, High & HighMask(length), Low & LowMask(length), length);

    /// <summary>Whether every address of <paramref name="other"/> lies in this block. Both must be networks.</summary>
    public bool Contains(Cidr other) =>
        Family == other.Family && Length <= other.Length
        && (other.High & HighMask(Length)) == High && (other.Low & LowMask(Length)) == Low;

    public static Cidr FromV4(uint address, int length = 32) => new(IpFamily.V4, (ulong)address << 32, 0, length);

    /// <summary>Reads 16 bytes in network order.</summary>
    public static Cidr FromV6(ReadOnlySpan<byte> address, int length = 128) =>
        new(IpFamily.V6, BinaryPrimitives.ReadUInt64BigEndian(address), BinaryPrimitives.ReadUInt64BigEndian(address[8..]), length);

    /// <summary>Writes the address in network order: 4 or 16 bytes. Returns how many.</summary>
    public int WriteAddress(Span<byte> destination)
    {
        if (Family == IpFamily.V4)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination, V4);
            return 4;
        }

        BinaryPrimitives.WriteUInt64BigEndian(destination, High);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], Low);
        return 16;
    }

    public bool Equals(Cidr other) =>
        High == other.High && Low == other.Low && Length == other.Length && Family == other.Family;

    public override bool Equals(object? obj) => obj is Cidr other && Equals(other);

    /// <summary>
    /// Seeded per process, as addresses come from outside. A product's upper bits depend on all bits of its factors: they are taken down
    /// each time, so that networks whose low bits are all zero (every block list) spread as well as hosts do.
    /// </summary>
    public override int GetHashCode()
    {
        ulong hash = ((High ^ HashSeed.First) * HashSeed.Second) ^ Low ^ Length;
        hash = (hash ^ (hash >> 32)) * HashSeed.Third;
        hash = (hash ^ (hash >> 29)) * HashSeed.Second;
        return (int)(hash >> 32);
    }

    /// <summary>IPv4 first, then by address, then by length.</summary>
    public int CompareTo(Cidr other)
    {
        int order = (int)Family - (int)other.Family; // an enum's own CompareTo boxes both
        order = order != 0 ? order : High.CompareTo(other.High);
        order = order != 0 ? order : Low.CompareTo(other.Low);
        return order != 0 ? order : Length.CompareTo(other.Length);
    }

    public static bool operator ==(Cidr left, Cidr right) => left.Equals(right);

    public static bool operator !=(Cidr left, Cidr right) => !left.Equals(right);

    public static bool operator <(Cidr left, Cidr right) => left.CompareTo(right) < 0;

    public static bool operator >(Cidr left, Cidr right) => left.CompareTo(right) > 0;

    public static bool operator <=(Cidr left, Cidr right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Cidr left, Cidr right) => left.CompareTo(right) >= 0;

    private static ulong HighMask(int length) => length >= 64 ? ulong.MaxValue : ~(ulong.MaxValue >> length);

    private static ulong LowMask(int length) => length switch
    {
        <= 64 => 0,
        >= 128 => ulong.MaxValue,
        _ => ~(ulong.MaxValue >> (length - 64)),
    };

    private static class HashSeed
    {
        public static readonly ulong First = (ulong)Random.Shared.NextInt64();
        public static readonly ulong Second = (ulong)Random.Shared.NextInt64() | 1;
        public static readonly ulong Third = (ulong)Random.Shared.NextInt64() | 1;
    }

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

    /// <param name="destination">At least four bytes; those after the digits may change.</param>
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

    /// <summary>
    /// Reads <c>ADDRESS/LENGTH</c> in one strict dialect (no leading zeros, zones, brackets, blanks or short forms). Host
    /// bits are kept. Never throws.
    /// </summary>
    public static CidrFault TryParse(ReadOnlySpan<byte> text, out Cidr cidr)
    {
        cidr = default;
        if (text.IsEmpty)
        {
            return CidrFault.Empty;
        }

        int slash = text.IndexOf((byte)'/');
        if (slash < 0)
        {
            return TryParseAddress(text, out _) ? CidrFault.NoLength : CidrFault.BadAddress;
        }

        if (!TryParseAddress(text[..slash], out Cidr address))
        {
            return CidrFault.BadAddress;
        }

        CidrFault fault = TryParseLength(text[(slash + 1)..], address.MaxLength, out int length);
        if (fault == CidrFault.None)
        {
            cidr = new Cidr(address.Family, address.High, address.Low, length);
        }

        return fault;
    }

    /// <inheritdoc cref="TryParse(ReadOnlySpan{byte}, out Cidr)"/>
    public static CidrFault TryParse(string text, out Cidr cidr)
    {
        cidr = default;
        Span<byte> utf8 = stackalloc byte[256];
        return Encoding.UTF8.TryGetBytes(text, utf8, out int written)
            ? TryParse(utf8[..written], out cidr)
            : CidrFault.BadAddress;
    }

    /// <summary>Reads a bare address as its /32 or /128.</summary>
    public static bool TryParseAddress(ReadOnlySpan<byte> text, out Cidr host)
    {
        host = default;
        if (text.Contains((byte)':'))
        {
            return TryParseV6(text, out host);
        }

        bool ok = TryParseV4(text, out uint address);
        host = ok ? FromV4(address) : default;
        return ok;
    }

    /// <summary>A prefix length: plain decimal, no sign, no leading zero, at most <paramref name="max"/>.</summary>
    public static CidrFault TryParseLength(ReadOnlySpan<byte> text, int max, out int length)
    {
        length = 0;
        if (text.IsEmpty || (text.Length > 1 && text[0] == '0'))
        {
            return CidrFault.BadLength;
        }

        foreach (byte c in text)
        {
            if (c is < (byte)'0' or > (byte)'9')
            {
                return CidrFault.BadLength;
            }

            length = Math.Min((length * 10) + (c - '0'), 1000);
        }

        return length <= max ? CidrFault.None : CidrFault.LengthTooLarge;
    }

    private static bool TryParseV4(ReadOnlySpan<byte> text, out uint address)
    {
        address = 0;
        int i = 0;
        for (int part = 0; part < 4; part++)
        {
            if (part > 0 && (i >= text.Length || text[i++] != '.'))
            {
                return false;
            }

            int start = i;
            uint octet = 0;
            while (i < text.Length && text[i] is >= (byte)'0' and <= (byte)'9' && i - start < 3)
            {
                octet = (octet * 10) + (uint)(text[i++] - '0');
            }

            int digits = i - start;
            if (digits == 0 || octet > 255 || (digits > 1 && text[start] == '0'))
            {
                return false;
            }

            address = (address << 8) | octet;
        }

        return i == text.Length;
    }

    private static bool TryParseV6(ReadOnlySpan<byte> text, out Cidr host)
    {
        host = default;
        Span<ushort> groups = stackalloc ushort[8];
        int count = 0, gap = -1, i = 0;
        if (text.StartsWith("::"u8))
        {
            gap = 0;
            i = 2;
        }

        while (i < text.Length)
        {
            int end = text[i..].IndexOf((byte)':');
            ReadOnlySpan<byte> part = end < 0 ? text[i..] : text.Slice(i, end);
            if (end < 0 && part.Contains((byte)'.'))
            {
                if (count > 6 || !TryParseV4(part, out uint tail))
                {
                    return false;
                }

                groups[count++] = (ushort)(tail >> 16);
                groups[count++] = (ushort)tail;
                break;
            }

            if (count == 8 || !TryParseGroup(part, out groups[count]))
            {
                return false;
            }

            count++;
            if (end < 0)
            {
                break;
            }

            i += end + 1;
            if (i == text.Length)
            {
                return false; // a single colon at the end
            }

            if (text[i] == ':')
            {
                if (gap >= 0)
                {
                    return false; // a second "::"
                }

                gap = count;
                i++;
            }
        }

        // "::" stands for at least one group (RFC 4291 §2.2 read strictly).
        if (gap < 0 ? count != 8 : count > 7)
        {
            return false;
        }

        host = Assemble(groups[..count], gap);
        return true;
    }

    private static bool TryParseGroup(ReadOnlySpan<byte> text, out ushort group)
    {
        group = 0;
        if (text.IsEmpty || text.Length > 4)
        {
            return false;
        }

        foreach (byte c in text)
        {
            int digit = c switch
            {
                >= (byte)'0' and <= (byte)'9' => c - '0',
                >= (byte)'a' and <= (byte)'f' => c - 'a' + 10,
                >= (byte)'A' and <= (byte)'F' => c - 'A' + 10,
                _ => -1,
            };
            if (digit < 0)
            {
                return false;
            }

            group = (ushort)((group << 4) | digit);
        }

        return true;
    }

    private static Cidr Assemble(ReadOnlySpan<ushort> groups, int gap)
    {
        Span<ushort> all = stackalloc ushort[8];
        all.Clear();
        int head = gap < 0 ? groups.Length : gap;
        groups[..head].CopyTo(all);
        groups[head..].CopyTo(all[(8 - (groups.Length - head))..]);
        ulong high = 0, low = 0;
        for (int i = 0; i < 4; i++)
        {
            high = (high << 16) | all[i];
            low = (low << 16) | all[i + 4];
        }

        return new Cidr(IpFamily.V6, high, low, 128);
    }
}

/// <summary>Why a text is not a CIDR.</summary>
public enum CidrFault : byte
{
    None,
    Empty,
    NoLength,
    BadAddress,
    BadLength,
    LengthTooLarge,

    /// <summary>Only in files: <see cref="Cidr.HasStrayHostBits"/>.</summary>
    StrayHostBits,
}

public static class CidrFaults
{
    /// <summary>What is wrong and what was expected, for error messages.</summary>
    public static string Explain(this CidrFault fault) => fault switch
    {
        CidrFault.None => "valid",
        CidrFault.Empty => "empty; expected ADDRESS/LENGTH such as 192.0.2.0/24 or 2001:db8::/32",
        CidrFault.NoLength => "no prefix length; expected ADDRESS/LENGTH such as 192.0.2.0/24",
        CidrFault.BadAddress => "not an IPv4 or IPv6 address; expected ADDRESS/LENGTH such as 192.0.2.0/24",
        CidrFault.StrayHostBits => "host bits are set below a short prefix (is the line cut off?)",
        CidrFault.BadLength => "prefix length is not a plain decimal number",
        _ => "prefix length out of range; 0 to 32 for IPv4, 0 to 128 for IPv6",
    };
}
