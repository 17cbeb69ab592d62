using System.Buffers.Binary;
using Couic.Store;

namespace Couic.Bpf;

/// <summary>Keys of the tries: a length in the machine's order, an address in network order.</summary>
internal static class TrieKey
{
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
