using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// One comparison with a peer, from the sums of the branches down to the records of the leaves that differ. Guarded by
/// its session.
/// </summary>
internal sealed class AntiEntropySession(Policy policy, ulong markNode, long mark, ulong key, bool isOfAll = false)
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

    /// <summary>A leaf that the peer has asked to be read in parts; it comes before all other leaves.</summary>
    public CrowdedLeaf? Crowded { get; private set; }

    /// <summary>Parts of the crowded leaf that are to be asked for, ascending; empty until their sums are known.</summary>
    public List<LeafRange> Parts { get; } = [];

    public int Records { get; set; }

    /// <summary>Records that were refused: as long as there are such, the next comparison ends as this one does.</summary>
    public int Refused { get; set; }

    public int Applied { get; set; }

    public int LeafCount => Ranges.Sum(range => range.Count);

    public bool IsComplete => Branches.Count == 0 && Ranges.Count == 0;

    public static AntiEntropySession OfBranches(Policy policy, in SyncHead head, ulong key, ReadOnlySpan<ulong> own, ReadOnlySpan<ulong> peer)
    {
        var comparison = new AntiEntropySession(policy, head.Node, head.Mark, key);
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
    public static AntiEntropySession OfAll(Policy policy, in SyncHead head, ulong key)
    {
        var comparison = new AntiEntropySession(policy, head.Node, head.Mark, key, isOfAll: true);
        comparison.Ranges.Add(new LeafRange(0, DigestTree.Leaves));
        return comparison;
    }

    public void AddLeaves(RegisterTable index, ReadOnlySpan<ulong> peerSums)
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

    /// <summary>Goes on after what was read.</summary>
    public void ContinueFrom(int nextLeaf) => Continue(Ranges, nextLeaf);

    /// <summary>Goes on with a leaf that has to be read in parts.</summary>
    /// <param name="partKey">Not known to anybody before.</param>
    public void SplitLeaf(int leaf, ulong partKey)
    {
        Continue(Ranges, leaf);
        Crowded = new CrowdedLeaf(leaf, partKey);
        if (isOfAll)
        {
            Parts.Add(new LeafRange(0, KeyedParts.Count)); // sums do not show what was removed
        }
    }

    public void AddParts(RegisterTable index, ReadOnlySpan<ulong> peerSums)
    {
        Span<ulong> own = stackalloc ulong[KeyedParts.Count];
        index.CopyPartSums(Crowded!.Value.Leaf, new KeyedParts(Crowded.Value.PartKey), own);
        for (int part = 0; part < own.Length; part++)
        {
            if (own[part] != peerSums[part])
            {
                Add(Parts, part);
            }
        }

        EndCrowdedIfRead();
    }

    public void ContinueFromPart(int nextPart)
    {
        Continue(Parts, nextPart);
        EndCrowdedIfRead();
    }

    private void EndCrowdedIfRead()
    {
        if (Parts.Count == 0)
        {
            Continue(Ranges, Crowded!.Value.Leaf + 1);
            Crowded = null;
        }
    }

    private static void Continue(List<LeafRange> runs, int next)
    {
        runs.RemoveAll(range => range.First + range.Count <= next);
        if (runs.Count > 0 && runs[0].First < next)
        {
            runs[0] = new LeafRange(next, runs[0].First + runs[0].Count - next);
        }
    }

    private void AddLeaf(int leaf) => Add(Ranges, leaf);

    private static void Add(List<LeafRange> runs, int number)
    {
        if (runs.Count > 0 && runs[^1].First + runs[^1].Count == number)
        {
            runs[^1] = runs[^1] with { Count = runs[^1].Count + 1 };
        }
        else
        {
            runs.Add(new LeafRange(number, 1));
        }
    }
}
