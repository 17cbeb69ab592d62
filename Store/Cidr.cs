using System.Buffers.Binary;

namespace Couic.Store;

/// <summary>
/// An address block. The address is left-aligned in 128 bits (an IPv4 address fills the top 32), so that masking,
/// ordering and prefix tests are the same arithmetic for both families. May carry host bits until <see cref="Network"/>.
/// </summary>
public readonly partial struct Cidr : IEquatable<Cidr>, IComparable<Cidr>
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
}
