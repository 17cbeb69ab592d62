using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// The registers of one policy: a chained hash table over slots in chunks. Each slot is also on the list of its digest leaf.
/// Slots never move. Not thread-safe.
/// </summary>
internal sealed class RegisterSlots
{
    private const int ChunkBits = 12;
    private const int ChunkSize = 1 << ChunkBits;

    private readonly List<Register[]> _chunks = [];
    private readonly int[] _leaves = NewHeads(DigestTree.Leaves);

    /// <summary>Enough for the default limits: growing would hold the store lock longer than any change.</summary>
    private int[] _buckets = NewHeads(1 << 19);
    private int _used;
    private int _freeHead = -1;

    public int Count { get; private set; }

    public ref Register this[int slot] => ref _chunks[slot >> ChunkBits][slot & (ChunkSize - 1)];

    /// <summary>One past the highest slot ever used.</summary>
    public int Used => _used;

    /// <summary>First slot on the list of a leaf, -1 for none; <see cref="Register.LeafNext"/> is the next one.</summary>
    public int FirstOfLeaf(int leaf) => _leaves[leaf];

    public int Find(Cidr cidr)
    {
        for (int slot = _buckets[Bucket(cidr)]; slot >= 0; slot = this[slot].BucketNext)
        {
            ref Register candidate = ref this[slot];
            if (candidate.High == cidr.High && candidate.Low == cidr.Low
                && candidate.Length == cidr.Length && candidate.Family == cidr.Family)
            {
                return slot;
            }
        }

        return -1;
    }

    /// <summary>Inserts a CIDR that must be absent.</summary>
    public int Insert(Cidr cidr)
    {
        if (Count >= _buckets.Length)
        {
            Grow();
        }

        int slot = TakeSlot();
        int leaf = DigestTree.LeafOf(cidr);
        ref Register register = ref this[slot];
        register = new Register
        {
            High = cidr.High,
            Low = cidr.Low,
            Length = cidr.Length,
            Family = cidr.Family,
            InUse = true,
            HeapIndex = -1,
            LeafPrevious = -1,
            ListNext = -1,
            ListPrevious = -1,
            LeafNext = _leaves[leaf],
        };
        Chain(ref register, slot);
        if (register.LeafNext >= 0)
        {
            this[register.LeafNext].LeafPrevious = slot;
        }

        _leaves[leaf] = slot;
        Count++;
        return slot;
    }

    public void Remove(int slot)
    {
        ref Register register = ref this[slot];
        ref int session = ref _buckets[Bucket(register.Cidr)];
        while (session != slot)
        {
            session = ref this[session].BucketNext;
        }

        session = register.BucketNext;
        if (register.LeafPrevious >= 0)
        {
            this[register.LeafPrevious].LeafNext = register.LeafNext;
        }
        else
        {
            _leaves[DigestTree.LeafOf(register.Cidr)] = register.LeafNext;
        }

        if (register.LeafNext >= 0)
        {
            this[register.LeafNext].LeafPrevious = register.LeafPrevious;
        }

        register = new Register { BucketNext = _freeHead, HeapIndex = -1 };
        _freeHead = slot;
        Count--;
    }

    private static int[] NewHeads(int size)
    {
        var heads = new int[size];
        Array.Fill(heads, -1);
        return heads;
    }

    private int Bucket(Cidr cidr) => cidr.GetHashCode() & (_buckets.Length - 1);

    private void Chain(ref Register register, int slot)
    {
        ref int bucket = ref _buckets[Bucket(register.Cidr)];
        register.BucketNext = bucket;
        bucket = slot;
    }

    private int TakeSlot()
    {
        if (_freeHead >= 0)
        {
            int slot = _freeHead;
            _freeHead = this[slot].BucketNext;
            return slot;
        }

        if (_used >> ChunkBits == _chunks.Count)
        {
            _chunks.Add(new Register[ChunkSize]);
        }

        return _used++;
    }

    private void Grow()
    {
        _buckets = NewHeads(_buckets.Length * 2);
        for (int slot = 0; slot < _used; slot++)
        {
            ref Register register = ref this[slot];
            if (register.InUse)
            {
                Chain(ref register, slot);
            }
        }
    }
}

/// <summary>
/// A list of slots in insertion order, linked through the registers: no slot is in it twice, and it needs no memory. A slot is
/// in at most one list. Not thread-safe.
/// </summary>
internal sealed class SlotList(RegisterSlots table)
{
    private int _last = -1;

    public int Count { get; private set; }

    /// <summary>The oldest slot, -1 for none.</summary>
    public int First { get; private set; } = -1;

    public void Append(int slot)
    {
        ref Register register = ref table[slot];
        register.ListPrevious = _last;
        register.ListNext = -1;
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

    /// <summary>Removes a slot that is in the list.</summary>
    public void Remove(int slot)
    {
        ref Register register = ref table[slot];
        if (register.ListPrevious >= 0)
        {
            table[register.ListPrevious].ListNext = register.ListNext;
        }
        else
        {
            First = register.ListNext;
        }

        if (register.ListNext >= 0)
        {
            table[register.ListNext].ListPrevious = register.ListPrevious;
        }
        else
        {
            _last = register.ListPrevious;
        }

        Count--;
    }

    public void MoveToEnd(int slot)
    {
        Remove(slot);
        Append(slot);
    }
}
