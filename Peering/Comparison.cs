using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// One comparison with a peer, from the sums of the branches down to the records of the leaves that differ. Guarded by
/// its link.
/// </summary>
internal sealed class Comparison(Policy policy, ulong markNode, long mark, ulong key)
{
    /// <summary>Differing leaves beyond which a comparison needs the right to fetch in bulk.</summary>
    public const int BulkLeaves = 2_048;

    public Policy Policy => policy;

    public ulong MarkNode => markNode;

    public long Mark => mark;

    /// <summary>What the peer wants to be shown.</summary>
    public ulong Key => key;

    /// <summary>Branches whose leaves are to be asked for.</summary>
    public List<int> Branches { get; } = [];

    /// <summary>Leaves whose records are to be asked for, ascending.</summary>
    public List<LeafRange> Ranges { get; } = [];

    public int Records { get; set; }

    public int Applied { get; set; }

    public int LeafCount => Ranges.Sum(range => range.Count);

    public bool IsComplete => Branches.Count == 0 && Ranges.Count == 0;

    public static Comparison OfBranches(Policy policy, in SyncHead head, ulong key, ReadOnlySpan<ulong> own, ReadOnlySpan<ulong> peer)
    {
        var comparison = new Comparison(policy, head.Node, head.Mark, key);
        for (int branch = 0; branch < own.Length; branch++)
        {
            if (own[branch] != peer[branch])
            {
                comparison.Branches.Add(branch);
            }
        }

        return comparison;
    }

    /// <summary>Reads everything: for a node that knows nothing yet, not even what was removed.</summary>
    public static Comparison OfAll(Policy policy, in SyncHead head, ulong key)
    {
        var comparison = new Comparison(policy, head.Node, head.Mark, key);
        comparison.Ranges.Add(new LeafRange(0, DigestTree.Leaves));
        return comparison;
    }

    public void AddLeaves(ReplicaIndex index, ReadOnlySpan<ulong> peerSums)
    {
        Span<ulong> own = stackalloc ulong[DigestTree.LeavesPerBranch];
        for (int i = 0; i < Branches.Count; i++)
        {
            index.CopyLeafSums(Branches[i], own);
            ReadOnlySpan<ulong> peer = peerSums.Slice(i * own.Length, own.Length);
            for (int leaf = 0; leaf < own.Length; leaf++)
            {
                if (own[leaf] != peer[leaf])
                {
                    AddLeaf((Branches[i] * DigestTree.LeavesPerBranch) + leaf);
                }
            }
        }

        Branches.Clear();
    }

    /// <summary>Goes on behind what was read.</summary>
    public void ContinueFrom(int nextLeaf)
    {
        Ranges.RemoveAll(range => range.First + range.Count <= nextLeaf);
        if (Ranges.Count > 0 && Ranges[0].First < nextLeaf)
        {
            Ranges[0] = new LeafRange(nextLeaf, Ranges[0].First + Ranges[0].Count - nextLeaf);
        }
    }

    private void AddLeaf(int leaf)
    {
        if (Ranges.Count > 0 && Ranges[^1].First + Ranges[^1].Count == leaf)
        {
            Ranges[^1] = Ranges[^1] with { Count = Ranges[^1].Count + 1 };
        }
        else
        {
            Ranges.Add(new LeafRange(leaf, 1));
        }
    }
}
