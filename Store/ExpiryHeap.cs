namespace Couic.Store;

/// <summary>
/// A binary min-heap of one table's slots by deadline. Each slot knows its place, so an entry that is removed or renewed
/// leaves nothing behind, and the cost of expiry depends on how many expire. Not thread-safe.
/// </summary>
internal sealed class ExpiryHeap(EntryTable table)
{
    private int[] _slots = new int[64];
    private int _count;

    /// <summary>Deadline of the entry that goes first; <see cref="long.MaxValue"/> when none will.</summary>
    public long NextDeadline => _count == 0 ? long.MaxValue : table[_slots[0]].Deadline;

    /// <summary>Slot of the entry that goes first. Only when there is one.</summary>
    public int First => _slots[0];

    /// <summary>Gives a slot a deadline, or a new one; <see cref="long.MaxValue"/> takes it out.</summary>
    public void Schedule(int slot, long deadline)
    {
        Unschedule(slot);
        table[slot].Deadline = deadline;
        if (deadline == long.MaxValue)
        {
            return;
        }

        if (_count == _slots.Length)
        {
            Array.Resize(ref _slots, _count * 2);
        }

        Place(slot, _count++);
        SiftUp(_count - 1);
    }

    public void Unschedule(int slot)
    {
        int hole = table[slot].HeapIndex;
        if (hole < 0)
        {
            return;
        }

        table[slot].HeapIndex = -1;
        int last = _slots[--_count];
        if (hole < _count)
        {
            Place(last, hole);
            SiftUp(hole);
            SiftDown(table[last].HeapIndex);
        }
    }

    private void SiftUp(int index)
    {
        int slot = _slots[index];
        long deadline = table[slot].Deadline;
        while (index > 0 && table[_slots[(index - 1) / 2]].Deadline > deadline)
        {
            Place(_slots[(index - 1) / 2], index);
            index = (index - 1) / 2;
        }

        Place(slot, index);
    }

    private void SiftDown(int index)
    {
        int slot = _slots[index];
        long deadline = table[slot].Deadline;
        while (true)
        {
            int child = (2 * index) + 1;
            if (child >= _count)
            {
                break;
            }

            if (child + 1 < _count && table[_slots[child + 1]].Deadline < table[_slots[child]].Deadline)
            {
                child++;
            }

            if (table[_slots[child]].Deadline >= deadline)
            {
                break;
            }

            Place(_slots[child], index);
            index = child;
        }

        Place(slot, index);
    }

    private void Place(int slot, int index)
    {
        _slots[index] = slot;
        table[slot].HeapIndex = index;
    }
}
