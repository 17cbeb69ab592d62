namespace Couic.Peering;

internal sealed partial class RegisterTable
{
    /// <summary>Sum and number of the live records whose time has not come.</summary>
    public (ulong Root, int Live) Summary()
    {
        lock (_gate)
        {
            PassDeadlines();
            return (_digest.Root, _table.Count - Tombstones.Count);
        }
    }

    public void CopyBranchSums(Span<ulong> sums)
    {
        lock (_gate)
        {
            PassDeadlines();
            _digest.BranchSums.CopyTo(sums);
        }
    }

    public void CopyLeafSums(int branch, Span<ulong> sums)
    {
        lock (_gate)
        {
            PassDeadlines();
            _digest.LeafSums(branch).CopyTo(sums);
        }
    }

    /// <summary>All records of a leaf, the dead among them.</summary>
    /// <returns>False, with some of them only, when there are more than the limit.</returns>
    public bool ReadLeaf(int leaf, List<OutgoingJob> records, int limit = int.MaxValue)
    {
        lock (_gate)
        {
            PassDeadlines();
            for (int slot = _table.FirstOfLeaf(leaf); slot >= 0; slot = _table[slot].LeafNext, limit--)
            {
                if (limit == 0)
                {
                    return false;
                }

                records.Add(Read(slot, default, known: true));
            }

            return true;
        }
    }

    private void EnterDigest(int slot)
    {
        ref Register register = ref _table[slot];
        register.Flags |= RegisterFlags.InDigest;
        Toggle(slot);
        if (register.Deadline != long.MaxValue)
        {
            Heap.Add(slot);
        }
    }

    private void Toggle(int slot) => _digest.Toggle(_table[slot].Cidr, VersionOf(slot), _tags.Utf8(_table[slot].Tag));

    private void LeaveDigest(int slot)
    {
        ref Register register = ref _table[slot];
        if (register.Has(RegisterFlags.InDigest))
        {
            register.Flags &= ~RegisterFlags.InDigest;
            Toggle(slot);
            Heap.Remove(slot);
        }
    }

    /// <summary>
    /// A record leaves the sums at its own deadline and not when the store's timer gets to it: the deadlines of nodes lie
    /// milliseconds apart, their timers up to a second. What the store does not hold dies here as well.
    /// </summary>
    private void PassDeadlines()
    {
        long now = time.GetTimestamp();
        for (int slot = Heap.First; slot >= 0 && _table[slot].Deadline <= now; slot = Heap.First)
        {
            if (_table[slot].Has(RegisterFlags.Applied))
            {
                LeaveDigest(slot);
            }
            else
            {
                Expire(slot);
            }
        }
    }

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
                    if (IsInLeaf(slot, leaf) && _table[slot].Has(RegisterFlags.InDigest))
                    {
                        sums[parts.PartOf(_table[slot].Cidr)] ^= parts.SumOf(_table[slot].Cidr, VersionOf(slot));
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
