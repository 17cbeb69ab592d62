namespace Couic.Peering;

/// <summary>
/// The live registers of one table that expire, earliest first; each slot knows its place. Not thread-safe.
/// </summary>
internal sealed class DeadlineHeap(RegisterSlots table)
{
    private int[] _slots = new int[64];
    private int _count;

    /// <summary>Slot of the one that goes first, -1 for none.</summary>
    public int First => _count == 0 ? -1 : _slots[0];

    public void Add(int slot)
    {
        if (_count == _slots.Length)
        {
            Array.Resize(ref _slots, _count * 2);
        }

        Place(slot, _count++);
        SiftUp(_count - 1);
    }

    /// <summary>Takes a slot out, if it is in.</summary>
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

    private long Key(int index) => table[_slots[index]].Deadline;

    private void SiftUp(int index)
    {
        int slot = _slots[index];
        long key = table[slot].Deadline;
        for (; index > 0 && Key((index - 1) / 2) > key; index = (index - 1) / 2)
        {
            Place(_slots[(index - 1) / 2], index);
        }

        Place(slot, index);
    }

    private void SiftDown(int index)
    {
        int slot = _slots[index];
        long key = table[slot].Deadline;
        for (int child = (2 * index) + 1; child < _count; child = (2 * index) + 1)
        {
            if (child + 1 < _count && Key(child + 1) < Key(child))
            {
                child++;
            }

            if (Key(child) >= key)
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
