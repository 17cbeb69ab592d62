namespace Couic.Peering;

/// <summary>
/// Slots of a table in the order in which they were appended, linked through the replicas themselves: no slot is in it
/// twice, nothing in it is stale, and it takes no memory of its own. A slot is in one list at a time. Not thread-safe.
/// </summary>
internal sealed class SlotList(ReplicaTable table)
{
    private int _last = -1;

    public int Count { get; private set; }

    /// <summary>The slot that was appended first, -1 for none.</summary>
    public int First { get; private set; } = -1;

    public void Append(int slot)
    {
        ref Replica replica = ref table[slot];
        replica.ListPrevious = _last;
        replica.ListNext = -1;
        if (_last >= 0)
        {
            table[_last].ListNext = slot;
        }
        else
        {
            First = slot;
        }

        _last = slot;
        Count++;
    }

    /// <summary>Takes out a slot that is in the list.</summary>
    public void Remove(int slot)
    {
        ref Replica replica = ref table[slot];
        if (replica.ListPrevious >= 0)
        {
            table[replica.ListPrevious].ListNext = replica.ListNext;
        }
        else
        {
            First = replica.ListNext;
        }

        if (replica.ListNext >= 0)
        {
            table[replica.ListNext].ListPrevious = replica.ListPrevious;
        }
        else
        {
            _last = replica.ListPrevious;
        }

        Count--;
    }

    public void MoveToEnd(int slot)
    {
        Remove(slot);
        Append(slot);
    }
}
