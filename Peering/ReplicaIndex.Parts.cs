namespace Couic.Peering;

internal sealed partial class ReplicaIndex
{
    /// <summary>Slots that are looked at under one hold of the lock, so that changes wait for a fraction of a millisecond.</summary>
    private const int PartSlice = 4_096;

    /// <summary>Sums of the live records of a leaf, by part.</summary>
    public void CopyPartSums(int leaf, KeyedParts parts, Span<ulong> sums)
    {
        sums.Clear();
        for (int from = 0, used; ; from += PartSlice)
        {
            lock (_gate)
            {
                PassDeadlines();
                used = _table.Used;
                for (int slot = from; slot < Math.Min(used, from + PartSlice); slot++)
                {
                    if (IsInLeaf(slot, leaf) && _table[slot].Has(ReplicaFlags.InDigest))
                    {
                        sums[parts.PartOf(_table[slot].Cidr)] ^= parts.SumOf(_table[slot].Cidr, StampOf(slot));
                    }
                }
            }

            if (from + PartSlice >= used)
            {
                return;
            }
        }
    }

    /// <summary>How many records each part of a leaf has, the dead among them.</summary>
    public void CountParts(int leaf, KeyedParts parts, Span<int> counts)
    {
        counts.Clear();
        for (int from = 0, used; ; from += PartSlice)
        {
            lock (_gate)
            {
                used = _table.Used;
                for (int slot = from; slot < Math.Min(used, from + PartSlice); slot++)
                {
                    if (IsInLeaf(slot, leaf))
                    {
                        counts[parts.PartOf(_table[slot].Cidr)]++;
                    }
                }
            }

            if (from + PartSlice >= used)
            {
                return;
            }
        }
    }

    /// <summary>The records of some parts of a leaf, the dead among them.</summary>
    /// <param name="wanted">By part.</param>
    public void ReadParts(int leaf, KeyedParts parts, ReadOnlySpan<bool> wanted, List<OutgoingJob> records)
    {
        for (int from = 0, used; ; from += PartSlice)
        {
            lock (_gate)
            {
                PassDeadlines();
                used = _table.Used;
                for (int slot = from; slot < Math.Min(used, from + PartSlice); slot++)
                {
                    if (IsInLeaf(slot, leaf) && wanted[parts.PartOf(_table[slot].Cidr)])
                    {
                        records.Add(Read(slot, default, known: true));
                    }
                }
            }

            if (from + PartSlice >= used)
            {
                return;
            }
        }
    }

    private bool IsInLeaf(int slot, int leaf) => _table[slot].InUse && DigestTree.LeafOf(_table[slot].Cidr) == leaf;
}
