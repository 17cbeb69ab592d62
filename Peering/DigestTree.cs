using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// Sums of the stamps of one policy's live rules: one per leaf (65,536, by a hash of the CIDR that is the same on every
/// node), one per branch of 128 leaves, one for all. Equal sums mean equal rules; unequal ones lead to what differs
/// without naming what is equal. The sums are XORs of well-mixed numbers, so a change costs three of them. The hash is
/// public: whoever chooses CIDRs can fill one leaf, which is then compared in <see cref="KeyedParts"/>.
/// </summary>
internal sealed class DigestTree
{
    public const int Leaves = 65_536;
    public const int LeavesPerBranch = 128;
    public const int Branches = Leaves / LeavesPerBranch;

    private readonly ulong[] _leaves = new ulong[Leaves];
    private readonly ulong[] _branches = new ulong[Branches];

    public ulong Root { get; private set; }

    public ReadOnlySpan<ulong> BranchSums => _branches;

    public ReadOnlySpan<ulong> LeafSums(int branch) => _leaves.AsSpan(branch * LeavesPerBranch, LeavesPerBranch);

    /// <summary>Takes a rule in, or out again.</summary>
    public void Toggle(Cidr cidr, Stamp stamp, ReadOnlySpan<byte> tag)
    {
        ulong hash = Hash(cidr);
        int leaf = (int)(hash >> 48);
        ulong sum = Mix(hash ^ Mix(stamp.Time ^ Mix(stamp.Node ^ Hash(tag))));
        _leaves[leaf] ^= sum;
        _branches[leaf / LeavesPerBranch] ^= sum;
        Root ^= sum;
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

    /// <summary>The finaliser of splitmix64 (Steele, Lea, Flood 2014): every bit of the input turns half of the output's.</summary>
    private static ulong Mix(ulong value)
    {
        value += 0x9e3779b97f4a7c15;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
        return value ^ (value >> 31);
    }
}
