using System.Numerics;
using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// A Merkle tree over the live rules of one policy: 65,536 leaves, selected by a hash of the CIDR, in branches of 128, and a
/// root. Equal hashes mean equal rules. Each hash is the XOR of the record hashes below it, so a change updates three of them.
/// The leaf hash has no key: an attacker who chooses CIDRs can fill one leaf, which is then compared with <see
/// cref="KeyedParts"/>.
/// </summary>
internal sealed class DigestTree
{
    public const int Leaves = 65_536;
    public const int LeavesPerBranch = 128;
    public const int Branches = Leaves / LeavesPerBranch;

    private readonly ulong[] _leaves = new ulong[Leaves];
    private readonly ulong[] _branches = new ulong[Branches];

    public ulong Root { get; private set; }

    public ReadOnlySpan<ulong> BranchHashes => _branches;

    public ReadOnlySpan<ulong> LeafHashes(int branch) => _leaves.AsSpan(branch * LeavesPerBranch, LeavesPerBranch);

    /// <summary>Adds a rule, or removes it again: XOR is its own inverse.</summary>
    public void Toggle(Cidr cidr, RuleVersion version, ReadOnlySpan<byte> tag)
    {
        ulong hash = Hash(cidr);
        int leaf = (int)(hash >> 48);
        ulong record = Mix(hash ^ Mix(version.Time ^ Mix(version.Node ^ Hash(tag))));
        _leaves[leaf] ^= record;
        _branches[leaf / LeavesPerBranch] ^= record;
        Root ^= record;
    }

    public static int LeafOf(Cidr cidr) => (int)(Hash(cidr) >> 48);

    private static ulong Hash(Cidr cidr) =>
        Mix(cidr.High ^ Mix(cidr.Low ^ Mix(((ulong)cidr.Family << 8) | cidr.Length)));

    /// <summary>0 for no tag.</summary>
    private static ulong Hash(ReadOnlySpan<byte> tag)
    {
        ulong hash = 0;
        for (; tag.Length >= 8; tag = tag[8..])
        {
            hash = Mix(hash ^ System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(tag));
        }

        ulong rest = 0;
        foreach (byte value in tag)
        {
            rest = (rest << 8) | value;
        }

        return rest == 0 ? hash : Mix(hash ^ rest);
    }

    /// <summary>The finaliser of splitmix64 (Steele, Lea, Flood 2014): each input bit changes half of the output bits.</summary>
    private static ulong Mix(ulong value)
    {
        value += 0x9e3779b97f4a7c15;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
        return value ^ (value >> 31);
    }
}

/// <summary>
/// Divides the records of a crowded leaf into 1,024 parts by a hash with a fresh key per comparison. An attacker cannot choose
/// CIDRs that fall into one part, so the answers stay bounded. The hash is SipHash-1-3 (Aumasson, Bernstein 2012).
/// </summary>
internal readonly struct KeyedParts(ulong key)
{
    public const int Count = 1_024;

    private readonly ulong _k0 = key;
    private readonly ulong _k1 = BitOperations.RotateLeft(key, 32) ^ 0x9e3779b97f4a7c15;

    public int PartOf(Cidr cidr) => (int)(HashOf(cidr) >> 54);

    public ulong RecordHash(Cidr cidr, RuleVersion version) => Sip(HashOf(cidr), version.Time, version.Node);

    private ulong HashOf(Cidr cidr) => Sip(cidr.High, cidr.Low, ((ulong)cidr.Family << 8) | cidr.Length);

    private ulong Sip(ulong a, ulong b, ulong c)
    {
        ulong v0 = _k0 ^ 0x736f6d6570736575, v1 = _k1 ^ 0x646f72616e646f6d, v2 = _k0 ^ 0x6c7967656e657261, v3 = _k1 ^ 0x7465646279746573;
        Take(a, ref v0, ref v1, ref v2, ref v3);
        Take(b, ref v0, ref v1, ref v2, ref v3);
        Take(c, ref v0, ref v1, ref v2, ref v3);
        Take(24UL << 56, ref v0, ref v1, ref v2, ref v3);
        v2 ^= 0xff;
        for (int round = 0; round < 3; round++)
        {
            Round(ref v0, ref v1, ref v2, ref v3);
        }

        return v0 ^ v1 ^ v2 ^ v3;
    }

    private static void Take(ulong word, ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v3 ^= word;
        Round(ref v0, ref v1, ref v2, ref v3);
        v0 ^= word;
    }

    private static void Round(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v0 += v1;
        v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
        v0 = BitOperations.RotateLeft(v0, 32);
        v2 += v3;
        v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
        v0 += v3;
        v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
        v2 += v1;
        v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
        v2 = BitOperations.RotateLeft(v2, 32);
    }
}
