using System.Buffers.Binary;
using Couic.Store;

namespace Couic.Bpf;

/// <summary>
/// Keys and values of the tries. A key is a length in the machine's order and an address in network order; a value is a rule
/// with the same length above it, so that one that is found says which prefix it belongs to.
/// </summary>
internal static class TrieEntry
{
    /// <summary>Bytes of a key.</summary>
    public static int KeySize(IpFamily family) => family == IpFamily.V4 ? Layout.Key4Size : Layout.Key6Size;

    public static uint Value(Cidr cidr, uint rule) => ((uint)cidr.Length << Layout.RuleLengthShift) | rule;

    /// <summary>Writes the key of a network; returns its length, which is the family's.</summary>
    public static int Write(Cidr cidr, Span<byte> key)
    {
        BinaryPrimitives.WriteInt32LittleEndian(key, cidr.Length);
        return 4 + cidr.WriteAddress(key[4..]);
    }

    public static Cidr Read(IpFamily family, ReadOnlySpan<byte> key)
    {
        int length = BinaryPrimitives.ReadInt32LittleEndian(key);
        return family == IpFamily.V4
            ? Cidr.FromV4(BinaryPrimitives.ReadUInt32BigEndian(key[4..]), length)
            : Cidr.FromV6(key.Slice(4, 16), length);
    }
}
