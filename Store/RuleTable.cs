namespace Couic.Store;

/// <summary>One of the four tables: the entries of a policy and family, and when they expire. Not thread-safe.</summary>
internal sealed class RuleTable
{
    private readonly List<int> _deferred = [];

    /// <param name="reasons">Shared by the tables of a store.</param>
    public RuleTable(Policy policy, IpFamily family, int limit, ReasonTexts reasons)
    {
        Reasons = new SlotReasons(reasons);
        Policy = policy;
        Family = family;
        Limit = limit;
        Expiry = new IndexedHeap<EntrySlot>(Entries);
    }

    public Policy Policy { get; }

    public IpFamily Family { get; }

    /// <summary>Entries that it may hold.</summary>
    public int Limit { get; }

    public SlotTable<EntrySlot> Entries { get; } = new();

    public IndexedHeap<EntrySlot> Expiry { get; }

    /// <summary>The order of the slots, for pages of a listing; null when there is none.</summary>
    public OrderedIndex? Index { get; set; }

    /// <summary>Entries per prefix length, so that a search by address looks up only lengths that occur.</summary>
    public int[] PerLength { get; } = new int[129];

    /// <summary>Why its entries exist.</summary>
    public SlotReasons Reasons { get; }

    /// <summary>Claims of other tags on its entries.</summary>
    public Claims Claims { get; } = new();

    /// <summary>The replacement of sets that is being planned or run; null for none.</summary>
    public TableReplacement? Replacement { get; set; }

    /// <summary>Whether an entry that is not a set's finds no free slot; a running replacement keeps what it needs.</summary>
    public bool IsFull => Entries.Count >= Limit || Replacement is { Spare: <= 0 };

    /// <summary>Takes a slot for a network that is absent.</summary>
    public int Insert(Cidr cidr)
    {
        int slot = Entries.Insert(cidr);
        PerLength[cidr.Length]++;
        NoteChange(slot);
        return slot;
    }

    /// <summary>Frees a slot.</summary>
    public void Remove(int slot)
    {
        PerLength[Entries[slot].Length]--;
        Claims.Clear(slot);
        Reasons.Set(slot, 0);
        Expiry.Remove(slot);
        Entries.Remove(slot);
        NoteChange(slot);
    }

    /// <summary>Takes an entry that the data plane would not remove out of the heap. It counts as expired all the same.</summary>
    public void DeferExpiry(int slot)
    {
        Expiry.Remove(slot);
        _deferred.Add(slot);
    }

    /// <summary>Schedules deferred entries again, unless they are gone or were renewed since.</summary>
    public void RetryDeferred()
    {
        foreach (int slot in _deferred)
        {
            ref EntrySlot held = ref Entries[slot];
            if (held.InUse && held.HeapIndex < 0)
            {
                Expiry.Schedule(slot, held.Deadline);
            }
        }

        _deferred.Clear();
    }

    private void NoteChange(int slot)
    {
        if (Index is { } index && !index.TryNote(slot))
        {
            Index = null;
        }
    }
}

/// <summary>One entry as its table keeps it, in 64 bytes: one cache line.</summary>
internal struct EntrySlot : ISlot
{
    private ulong _high;
    private ulong _low;
    public ulong Creation;
    public ulong Expiration;

    /// <summary>Monotonic timestamp at which it leaves; <see cref="long.MaxValue"/> for never.</summary>
    public long Deadline { get; set; }

    public int Next { get; set; }

    public int HeapIndex { get; set; }

    public int Tag;
    public int Creator;
    private byte _length;
    private IpFamily _family;
    public ChangeOrigin Origin;

    public bool InUse { get; set; }

    /// <summary>Whether a change of it is on its way to the data plane.</summary>
    public bool IsBusy;

    /// <summary>Whether <see cref="RuleTable.Reasons"/> has its reason.</summary>
    public bool HasReason;

    public readonly byte Length => _length;

    public Cidr Cidr
    {
        readonly get => new(_family, _high, _low, _length);
        set => (_family, _high, _low, _length) = (value.Family, value.High, value.Low, value.Length);
    }

    public readonly bool Matches(in Cidr cidr) => _high == cidr.High && _low == cidr.Low && _length == cidr.Length;
}
