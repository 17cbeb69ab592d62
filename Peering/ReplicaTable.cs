using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// The replicas of one policy: a hash table over slots in chunks, each slot also on the list of its digest leaf. Slots of
/// queued replicas do not move. Not thread-safe.
/// </summary>
internal sealed class ReplicaTable
{
    private const int ChunkBits = 12;
    private const int ChunkSize = 1 << ChunkBits;

    private readonly List<Replica[]> _chunks = [];
    private readonly int[] _leaves = NewHeads(DigestTree.Leaves);

    /// <summary>As many as a table of the default limits needs: growing would hold the store for longer than any change.</summary>
    private int[] _buckets = NewHeads(1 << 19);
    private int _used;
    private int _freeHead = -1;

    public int Count { get; private set; }

    public ref Replica this[int slot] => ref _chunks[slot >> ChunkBits][slot & (ChunkSize - 1)];

    /// <summary>One past the highest slot that was ever used.</summary>
    public int Used => _used;

    /// <summary>First slot on the list of a leaf, -1 for none; <see cref="Replica.LeafNext"/> leads on.</summary>
    public int FirstOfLeaf(int leaf) => _leaves[leaf];

    public int Find(Cidr cidr)
    {
        for (int slot = _buckets[Bucket(cidr)]; slot >= 0; slot = this[slot].BucketNext)
        {
            ref Replica candidate = ref this[slot];
            if (candidate.High == cidr.High && candidate.Low == cidr.Low
                && candidate.Length == cidr.Length && candidate.Family == cidr.Family)
            {
                return slot;
            }
        }

        return -1;
    }

    /// <summary>Takes a slot for a CIDR that is absent.</summary>
    public int Insert(Cidr cidr)
    {
        if (Count >= _buckets.Length)
        {
            Grow();
        }

        int slot = TakeSlot();
        int leaf = DigestTree.LeafOf(cidr);
        ref Replica replica = ref this[slot];
        replica = new Replica
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
        Chain(ref replica, slot);
        if (replica.LeafNext >= 0)
        {
            this[replica.LeafNext].LeafPrevious = slot;
        }

        _leaves[leaf] = slot;
        Count++;
        return slot;
    }

    public void Remove(int slot)
    {
        ref Replica replica = ref this[slot];
        ref int link = ref _buckets[Bucket(replica.Cidr)];
        while (link != slot)
        {
            link = ref this[link].BucketNext;
        }

        link = replica.BucketNext;
        if (replica.LeafPrevious >= 0)
        {
            this[replica.LeafPrevious].LeafNext = replica.LeafNext;
        }
        else
        {
            _leaves[DigestTree.LeafOf(replica.Cidr)] = replica.LeafNext;
        }

        if (replica.LeafNext >= 0)
        {
            this[replica.LeafNext].LeafPrevious = replica.LeafPrevious;
        }

        replica = new Replica { BucketNext = _freeHead, HeapIndex = -1 };
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

    private void Chain(ref Replica replica, int slot)
    {
        ref int bucket = ref _buckets[Bucket(replica.Cidr)];
        replica.BucketNext = bucket;
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
            _chunks.Add(new Replica[ChunkSize]);
        }

        return _used++;
    }

    private void Grow()
    {
        _buckets = NewHeads(_buckets.Length * 2);
        for (int slot = 0; slot < _used; slot++)
        {
            ref Replica replica = ref this[slot];
            if (replica.InUse)
            {
                Chain(ref replica, slot);
            }
        }
    }
}
