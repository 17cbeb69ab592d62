namespace Couic.Store;

/// <summary>
/// A binary min-heap of a table's slots by deadline. Each slot knows its position, so a record that is removed or rescheduled leaves
/// nothing in the heap. Not thread-safe.
/// </summary>
internal sealed class IndexedHeap<T>(SlotTable<T> table)
    where T : struct, ISlot
{
    private int[] _slots = new int[64];
    private int _count;

    /// <summary>Slot with the earliest deadline, -1 when the heap is empty.</summary>
    public int First => _count == 0 ? -1 : _slots[0];

    /// <summary>The earliest deadline; <see cref="long.MaxValue"/> when the heap is empty.</summary>
    public long NextDeadline => _count == 0 ? long.MaxValue : table[_slots[0]].Deadline;

    /// <summary>Gives a slot a deadline, or a new one; <see cref="long.MaxValue"/> takes it out.</summary>
    public void Schedule(int slot, long deadline)
    {
        Remove(slot);
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

    /// <summary>Takes a slot out, if it is in. Its deadline stays.</summary>
    public void Remove(int slot)
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

    private long Deadline(int index) => table[_slots[index]].Deadline;

    private void SiftUp(int index)
    {
        int slot = _slots[index];
        long deadline = table[slot].Deadline;
        for (; index > 0 && Deadline((index - 1) / 2) > deadline; index = (index - 1) / 2)
        {
            Place(_slots[(index - 1) / 2], index);
        }

        Place(slot, index);
    }

    private void SiftDown(int index)
    {
        int slot = _slots[index];
        long deadline = table[slot].Deadline;
        for (int child = (2 * index) + 1; child < _count; child = (2 * index) + 1)
        {
            if (child + 1 < _count && Deadline(child + 1) < Deadline(child))
            {
                child++;
            }

            if (Deadline(child) >= deadline)
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
