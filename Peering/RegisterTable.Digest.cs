namespace Couic.Peering;

internal sealed partial class RegisterTable
{
    /// <summary>Root hash and number of the live registers whose deadline has not passed.</summary>
    public (ulong Root, int Live) Summary()
    {
        lock (_gate)
        {
            PassDeadlines();
            return (_digest.Root, _table.Count - Tombstones.Count);
        }
    }

    public void CopyBranchHashes(Span<ulong> hashes)
    {
        lock (_gate)
        {
            PassDeadlines();
            _digest.BranchHashes.CopyTo(hashes);
        }
    }

    public void CopyLeafHashes(int branch, Span<ulong> hashes)
    {
        lock (_gate)
        {
            PassDeadlines();
            _digest.LeafHashes(branch).CopyTo(hashes);
        }
    }

    /// <summary>All registers of a leaf, including tombstones.</summary>
    /// <returns>False, with an incomplete list, when there are more than the limit.</returns>
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
        Heap.Schedule(slot, register.Deadline);
    }

    private void Toggle(int slot) => _digest.Toggle(_table[slot].Cidr, VersionOf(slot), _tags[_table[slot].Tag]);

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
    /// A register leaves the digest at its deadline, not when the store's timer removes the rule: deadlines on two nodes differ
    /// by milliseconds, the timers by up to a second. A value that the store does not hold becomes a tombstone here.
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
                if (_table[slot].Has(RegisterFlags.Waiting))
                {
                    _lapsed.Add(_table[slot].Cidr);
                }

                Expire(slot);
            }
        }
    }

    /// <summary>Slots per acquisition of the lock, so that changes wait for a fraction of a millisecond.</summary>
    private const int PartSlice = 4_096;

    /// <summary>Hashes of the live registers of a leaf, by part.</summary>
    public void CopyPartHashes(int leaf, KeyedParts parts, Span<ulong> hashes)
    {
        hashes.Clear();
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
                        hashes[parts.PartOf(_table[slot].Cidr)] ^= parts.RecordHash(_table[slot].Cidr, VersionOf(slot));
                    }
                }
            }

            if (from + PartSlice >= used)
            {
                return;
            }
        }
    }

    /// <summary>Registers per part of a leaf, including tombstones.</summary>
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

    /// <summary>The registers of some parts of a leaf, including tombstones.</summary>
    /// <param name="wanted">Indexed by part.</param>
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
