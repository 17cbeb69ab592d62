namespace Couic.Peering;

internal sealed partial class ReplicaIndex
{
    /// <summary>Sum and number of the live records whose time has not come.</summary>
    public (ulong Root, int Live) Summary()
    {
        lock (_gate)
        {
            PassDeadlines();
            return (_digest.Root, _table.Count - Dead);
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
        ref Replica replica = ref _table[slot];
        replica.Flags |= ReplicaFlags.InDigest;
        Toggle(slot);
        if (replica.Deadline != long.MaxValue)
        {
            Heap.Add(slot);
        }
    }

    private void Toggle(int slot) => _digest.Toggle(_table[slot].Cidr, StampOf(slot), _tags.Utf8(_table[slot].Tag));

    private void LeaveDigest(int slot)
    {
        ref Replica replica = ref _table[slot];
        if (replica.Has(ReplicaFlags.InDigest))
        {
            replica.Flags &= ~ReplicaFlags.InDigest;
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
            if (_table[slot].Has(ReplicaFlags.Applied))
            {
                LeaveDigest(slot);
            }
            else
            {
                Kill(slot);
            }
        }
    }
}
