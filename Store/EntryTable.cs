namespace Couic.Store;

/// <summary>
/// The entries of one policy and family: a chained hash table over slots of fixed size in chunks, so that an addition
/// allocates nothing in the steady state and a slot's number stays the same while its entry lives. Not thread-safe.
/// </summary>
internal sealed class EntryTable(int limit)
{
    private const int ChunkBits = 12;
    private const int ChunkSize = 1 << ChunkBits;

    private Slot[][] _chunks = [];
    private int[] _buckets = NewBuckets(1024);
    private int _used;
    private int _freeHead = -1;

    /// <summary>Entries it may hold.</summary>
    public int Limit { get; } = limit;

    public int Count { get; private set; }

    public ref Slot this[int slot] => ref _chunks[slot >> ChunkBits][slot & (ChunkSize - 1)];

    /// <summary>The order of the slots, for who lists pages of them; null for none.</summary>
    public SortedSlots? Sorted { get; set; }

    /// <summary>One past the highest slot that was ever used; slots below it may be free (<see cref="Slot.InUse"/>).</summary>
    public int Used => _used;

    /// <summary>The slot of a network, or -1.</summary>
    public int Find(Cidr cidr)
    {
        for (int slot = _buckets[Bucket(cidr)]; slot >= 0; slot = this[slot].Next)
        {
            ref Slot candidate = ref this[slot];
            if (candidate.High == cidr.High && candidate.Low == cidr.Low && candidate.Length == cidr.Length)
            {
                return slot;
            }
        }

        return -1;
    }

    /// <summary>
    /// Reads what <see cref="Find"/> looks at first; and in a second round, what that leads to. Of many that are read one after the other the
    /// processor waits for all at the same time.
    /// </summary>
    /// <returns>Nothing of meaning.</returns>
    public int Touch(Cidr cidr, bool isSecondRound)
    {
        int first = _buckets[Bucket(cidr)];
        return isSecondRound && first >= 0 ? this[first].Length : first;
    }

    /// <summary>The slot that the next <see cref="Insert"/> will use.</summary>
    public int NextSlot => _freeHead >= 0 ? _freeHead : _used;

    /// <summary>Takes a slot for a network that is absent. The caller has checked the limit and fills the rest in.</summary>
    public int Insert(Cidr cidr)
    {
        if (Count >= _buckets.Length)
        {
            Grow();
        }

        int slot = TakeSlot();
        NoteChange(slot);
        ref Slot entry = ref this[slot];
        entry = new Slot { High = cidr.High, Low = cidr.Low, Length = cidr.Length, Family = cidr.Family, HeapIndex = -1, InUse = true };
        ref int bucket = ref _buckets[Bucket(cidr)];
        entry.Next = bucket;
        bucket = slot;
        Count++;
        return slot;
    }

    public void Remove(int slot)
    {
        ref Slot entry = ref this[slot];
        ref int link = ref _buckets[Bucket(entry.Cidr)];
        while (link != slot)
        {
            link = ref this[link].Next;
        }

        link = entry.Next;
        entry = new Slot { Next = _freeHead, HeapIndex = -1 };
        NoteChange(slot);
        _freeHead = slot;
        Count--;
    }

    private void NoteChange(int slot)
    {
        if (Sorted is { } sorted && !sorted.TryNote(slot))
        {
            Sorted = null;
        }
    }

    private static int[] NewBuckets(int size)
    {
        var buckets = new int[size];
        Array.Fill(buckets, -1);
        return buckets;
    }

    private int Bucket(Cidr cidr) => cidr.GetHashCode() & (_buckets.Length - 1);

    private int TakeSlot()
    {
        if (_freeHead >= 0)
        {
            int slot = _freeHead;
            _freeHead = this[slot].Next;
            return slot;
        }

        if (_used >> ChunkBits == _chunks.Length)
        {
            _chunks = [.. _chunks, new Slot[ChunkSize]];
        }

        return _used++;
    }

    private void Grow()
    {
        _buckets = NewBuckets(_buckets.Length * 2);
        for (int slot = 0; slot < _used; slot++)
        {
            ref Slot entry = ref this[slot];
            if (entry.InUse)
            {
                ref int bucket = ref _buckets[Bucket(entry.Cidr)];
                entry.Next = bucket;
                bucket = slot;
            }
        }
    }

    /// <summary>64 bytes: one cache line an entry.</summary>
    internal struct Slot
    {
        public ulong High;
        public ulong Low;
        public ulong Creation;
        public ulong Expiration;

        /// <summary>Monotonic timestamp at which it leaves; <see cref="long.MaxValue"/> for never.</summary>
        public long Deadline;

        /// <summary>Next slot of the bucket, or of the free list.</summary>
        public int Next;

        /// <summary>Place in the expiry heap, -1 for none.</summary>
        public int HeapIndex;

        public int Tag;
        public int Creator;
        public byte Length;
        public IpFamily Family;
        public ChangeOrigin Origin;
        public bool InUse;

        /// <summary>A change of it is on its way to the kernel.</summary>
        public bool IsBusy;

        public readonly Cidr Cidr => new(Family, High, Low, Length);
    }
}
