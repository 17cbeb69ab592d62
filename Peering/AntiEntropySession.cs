using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// One comparison with a peer: a walk down the Merkle tree from the branch hashes to the records of the leaves that differ.
/// Guarded by the lock of its peer session.
/// </summary>
internal sealed class AntiEntropySession(Policy policy, ulong markNode, long mark, ulong key, bool isOfAll = false)
{
    /// <summary>With more differing leaves a session needs the exclusive right to fetch in bulk.</summary>
    public const int BulkLeaves = 2_048;

    public Policy Policy => policy;

    public ulong MarkNode => markNode;

    public long Mark => mark;

    /// <summary>The key that the peer requires in each question.</summary>
    public ulong Key => key;

    /// <summary>Branches whose leaf hashes are still to be fetched.</summary>
    public List<int> Branches { get; } = [];

    /// <summary>Leaves whose records are still to be fetched, ascending.</summary>
    public List<LeafRange> Ranges { get; } = [];

    /// <summary>A leaf that is too large for one answer; it is read in parts before all other leaves.</summary>
    public CrowdedLeaf? Crowded { get; private set; }

    /// <summary>Parts of the crowded leaf that are still to be fetched, ascending; empty until their hashes are known.</summary>
    public List<LeafRange> Parts { get; } = [];

    public int Records { get; set; }

    /// <summary>Records that this node refused. While the peer has such records, the next comparison ends the same way.</summary>
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

    /// <summary>Reads every leaf: a node that has just started does not know of removals.</summary>
    public static AntiEntropySession OfAll(Policy policy, in SyncHead head, ulong key)
    {
        var comparison = new AntiEntropySession(policy, head.Node, head.Mark, key, isOfAll: true);
        comparison.Ranges.Add(new LeafRange(0, DigestTree.Leaves));
        return comparison;
    }

    public void AddLeaves(RegisterTable index, ReadOnlySpan<ulong> peerHashes)
    {
        Span<ulong> own = stackalloc ulong[DigestTree.LeavesPerBranch];
        for (int i = 0; i < Branches.Count; i++)
        {
            index.CopyLeafHashes(Branches[i], own);
            ReadOnlySpan<ulong> peer = peerHashes.Slice(i * own.Length, own.Length);
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

    public void ContinueFrom(int nextLeaf) => Continue(Ranges, nextLeaf);

    /// <summary>Continues with a leaf that has to be read in parts.</summary>
    /// <param name="partKey">A fresh random number.</param>
    public void SplitLeaf(int leaf, ulong partKey)
    {
        Continue(Ranges, leaf);
        Crowded = new CrowdedLeaf(leaf, partKey);
        if (isOfAll)
        {
            Parts.Add(new LeafRange(0, KeyedParts.Count)); // hashes do not show what was removed
        }
    }

    public void AddParts(RegisterTable index, ReadOnlySpan<ulong> peerHashes)
    {
        Span<ulong> own = stackalloc ulong[KeyedParts.Count];
        index.CopyPartHashes(Crowded!.Value.Leaf, new KeyedParts(Crowded.Value.PartKey), own);
        for (int part = 0; part < own.Length; part++)
        {
            if (own[part] != peerHashes[part])
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
