namespace Couic.Store;

/// <summary>One of the four tables: the entries of a policy and family, and when they expire. Not thread-safe.</summary>
internal sealed class Category
{
    private readonly List<int> _stuck = [];

    public Category(Policy policy, IpFamily family, int limit)
    {
        Policy = policy;
        Family = family;
        Entries = new EntryTable(limit);
        Expiry = new ExpiryHeap(Entries);
    }

    public Policy Policy { get; }

    public IpFamily Family { get; }

    public EntryTable Entries { get; }

    public ExpiryHeap Expiry { get; }

    /// <summary>Entries per prefix length, so that a search by address looks only where there is something.</summary>
    public int[] PerLength { get; } = new int[129];

    /// <summary>What other tags want of its entries.</summary>
    public Claims Claims { get; } = new();

    /// <summary>The swap of sets that is being made or run; null for none.</summary>
    public SetSwapPlan? Swap { get; set; }

    /// <summary>Whether an entry that is no set's finds no room; a swap that is under way keeps what it needs.</summary>
    public bool IsFull => Entries.Count >= Entries.Limit || Swap is { Spare: <= 0 };

    /// <summary>Takes an entry that the data plane would not let go out of the heap; it stays one whose time has come.</summary>
    public void SetAside(int slot)
    {
        Expiry.Unschedule(slot);
        _stuck.Add(slot);
    }

    /// <summary>Puts what was set aside back into the heap, unless it is gone or was renewed meanwhile.</summary>
    public void RetryStuck()
    {
        foreach (int slot in _stuck)
        {
            ref EntryTable.Slot held = ref Entries[slot];
            if (held.InUse && held.HeapIndex < 0)
            {
                Expiry.Schedule(slot, held.Deadline);
            }
        }

        _stuck.Clear();
    }
}
