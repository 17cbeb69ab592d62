namespace Couic.Store;

/// <summary>What a <see cref="SlotTable{T}"/> and an <see cref="IndexedHeap{T}"/> keep in each of their slots.</summary>
internal interface ISlot
{
    Cidr Cidr { get; set; }

    bool InUse { get; set; }

    /// <summary>Next slot of the bucket, or of the free list.</summary>
    int Next { get; set; }

    /// <summary>Position in the heap, -1 for none.</summary>
    int HeapIndex { get; set; }

    /// <summary>Monotonic timestamp by which the heap orders.</summary>
    long Deadline { get; set; }

    bool Matches(in Cidr cidr);
}

/// <summary>
/// A chained hash table by network over slots in chunks: in the steady state an insertion allocates nothing, and a slot keeps its number
/// while its record lives. Not thread-safe.
/// </summary>
/// <param name="buckets">Buckets at the start, a power of two.</param>
internal sealed class SlotTable<T>(int buckets = 1024)
    where T : struct, ISlot
{
    private const int ChunkBits = 12;
    private const int ChunkSize = 1 << ChunkBits;

    private T[][] _chunks = [];
    private int[] _buckets = NewHeads(buckets);
    private int _freeHead = -1;

    public int Count { get; private set; }

    /// <summary>One past the highest slot that was ever used; slots below it may be free (<see cref="ISlot.InUse"/>).</summary>
    public int Used { get; private set; }

    public ref T this[int slot] => ref _chunks[slot >> ChunkBits][slot & (ChunkSize - 1)];

    /// <summary>The slot of a network, or -1.</summary>
    public int Find(in Cidr cidr)
    {
        int slot = _buckets[Bucket(cidr)];
        while (slot >= 0 && !this[slot].Matches(cidr))
        {
            slot = this[slot].Next;
        }

        return slot;
    }

    /// <summary>
    /// Reads the bucket that <see cref="Find"/> looks at, and in a second round the slot that it leads to. Reads for several networks
    /// overlap in the processor, so their cache misses cost little more than one.
    /// </summary>
    /// <returns>A value without meaning, which keeps the compiler from removing the reads.</returns>
    public int Prefetch(in Cidr cidr, bool isSecondRound)
    {
        int first = _buckets[Bucket(cidr)];
        return isSecondRound && first >= 0 ? this[first].HeapIndex : first;
    }

    /// <summary>Takes a slot for a network that is absent. The caller has checked the limit and fills in the rest.</summary>
    public int Insert(in Cidr cidr)
    {
        if (Count >= _buckets.Length)
        {
            Grow();
        }

        int slot = TakeSlot();
        this[slot] = new T { Cidr = cidr, HeapIndex = -1, InUse = true };
        Chain(slot);
        Count++;
        return slot;
    }

    public void Remove(int slot)
    {
        ref T removed = ref this[slot];
        ref int bucket = ref _buckets[Bucket(removed.Cidr)];
        if (bucket == slot)
        {
            bucket = removed.Next;
        }
        else
        {
            int previous = bucket;
            while (this[previous].Next != slot)
            {
                previous = this[previous].Next;
            }

            this[previous].Next = removed.Next;
        }

        removed = new T { Next = _freeHead, HeapIndex = -1 };
        _freeHead = slot;
        Count--;
    }

    internal static int[] NewHeads(int size)
    {
        var heads = new int[size];
        Array.Fill(heads, -1);
        return heads;
    }

    private int Bucket(in Cidr cidr) => cidr.GetHashCode() & (_buckets.Length - 1);

    private void Chain(int slot)
    {
        ref T record = ref this[slot];
        ref int bucket = ref _buckets[Bucket(record.Cidr)];
        record.Next = bucket;
        bucket = slot;
    }

    private int TakeSlot()
    {
        if (_freeHead >= 0)
        {
            int slot = _freeHead;
            _freeHead = this[slot].Next;
            return slot;
        }

        if (Used >> ChunkBits == _chunks.Length)
        {
            _chunks = [.. _chunks, new T[ChunkSize]];
        }

        return Used++;
    }

    private void Grow()
    {
        _buckets = NewHeads(_buckets.Length * 2);
        for (int slot = 0; slot < Used; slot++)
        {
            if (this[slot].InUse)
            {
                Chain(slot);
            }
        }
    }
}
