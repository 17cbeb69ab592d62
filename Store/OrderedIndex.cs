namespace Couic.Store;

/// <summary>
/// The slots of a table ordered by network at one moment, and the slots that changed since. So the cost of a page of a long list is that
/// of its entries, and a change of the table costs next to nothing. Not thread-safe.
/// </summary>
/// <param name="limit">Slots that the table may have.</param>
internal sealed class OrderedIndex(int limit)
{
    /// <summary>With more changes than this it is dropped: each page reads all of them.</summary>
    private const int MaxChanged = 4096;

    private readonly int[] _changed = new int[MaxChanged];
    private readonly ulong[] _isChanged = new ulong[(limit / 64) + 1];
    private int _changedCount;
    private int[]? _slots;

    /// <summary>Whether the order is complete; changes are recorded earlier.</summary>
    public bool IsReady => _slots is not null;

    /// <param name="slots">In order, including those that have changed in between.</param>
    public void Begin(int[] slots) => _slots = slots;

    /// <summary>Records that a slot was taken or freed. False when there are too many changes.</summary>
    public bool TryNote(int slot)
    {
        if (IsChanged(slot))
        {
            return true;
        }

        if (_changedCount == MaxChanged)
        {
            return false;
        }

        _isChanged[slot >> 6] |= 1UL << (slot & 63);
        _changed[_changedCount++] = slot;
        return true;
    }

    /// <summary>The next slots in use after a network, or from the beginning, up to <paramref name="count"/> of them.</summary>
    public void Read(SlotTable<EntrySlot> entries, Cidr? after, int count, List<int> found)
    {
        found.Clear();
        int place = after is { } from ? FirstAfter(entries, from) : 0;
        for (; found.Count < count && place < _slots!.Length; place++)
        {
            if (!IsChanged(_slots[place]))
            {
                found.Add(_slots[place]);
            }
        }

        bool isEnd = found.Count < count;
        Cidr end = found.Count > 0 ? entries[found[^1]].Cidr : default;
        int sorted = found.Count;
        foreach (int slot in _changed.AsSpan(0, _changedCount))
        {
            ref EntrySlot held = ref entries[slot];
            if (held.InUse && (after is not { } last || held.Cidr > last) && (isEnd || held.Cidr < end))
            {
                found.Add(slot);
            }
        }

        if (found.Count > sorted)
        {
            found.Sort((a, b) => entries[a].Cidr.CompareTo(entries[b].Cidr));
            found.RemoveRange(Math.Min(count, found.Count), Math.Max(0, found.Count - count));
        }
    }

    private bool IsChanged(int slot) => (_isChanged[slot >> 6] & (1UL << (slot & 63))) != 0;

    /// <summary>The position of the first unchanged slot after a network. Changed slots are skipped: they hold another network now.</summary>
    private int FirstAfter(SlotTable<EntrySlot> entries, Cidr network)
    {
        int low = 0;
        int high = _slots!.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            int probe = middle;
            while (probe < high && IsChanged(_slots[probe]))
            {
                probe++;
            }

            if (probe == high || entries[_slots[probe]].Cidr > network)
            {
                high = middle;
            }
            else
            {
                low = probe + 1;
            }
        }

        return low;
    }
}
