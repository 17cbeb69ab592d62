using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// What this node knows of one policy's rules in the whole cluster: for each CIDR the last word on it with its stamp, live
/// or dead, and which peers have yet to hear it. It is changed under the store's lock only (by the feed, and by whoever
/// holds the store to apply a peer's change), so it never disagrees with the store; its own lock, inside the store's, lets
/// it be read without stopping the store. All members are thread-safe.
/// </summary>
internal sealed partial class ReplicaIndex(Policy policy, ulong self, int maxLive, TimeProvider time)
{
    /// <summary>Dead records that are kept at most, 104 bytes each.</summary>
    public const int MaxDead = 262_144;

    /// <summary>Live records beyond the store's own limit: rules that wait for room in its table.</summary>
    public static int MaxWaiting(int entries) => Math.Max(1_024, entries / 4);

    private readonly Lock _gate = new();
    private readonly ReplicaTable _table = new();
    private SlotList? _graves;
    private SlotList? _waiting;
    private readonly DigestTree _digest = new();
    private readonly HybridClock _clock = new(time);
    private readonly NodeTable _nodes = new();
    private readonly NameTable _tags = new(pinned: 0);
    private DeadlineHeap? _heap;

    public Policy Policy => policy;

    private DeadlineHeap Heap => _heap ??= new DeadlineHeap(_table);

    /// <summary>Dead records, oldest first.</summary>
    private SlotList Graves => _graves ??= new SlotList(_table);

    /// <summary>Live records that the store does not hold and no set shadows.</summary>
    private SlotList Waiting => _waiting ??= new SlotList(_table);

    private int Dead => Graves.Count;

    /// <summary>Takes a change of the store in. Called by the feed, under the store's lock.</summary>
    public void OnChange(in RuleEvent change)
    {
        lock (_gate)
        {
            Cidr cidr = change.Entry.Cidr;
            if (change.Kind == RuleEventKind.Expired)
            {
                OnExpired(cidr);
            }
            else if (change.Origin == ChangeOrigin.Set)
            {
                OnSetChange(cidr, change.Kind);
            }
            else if (change.Origin == ChangeOrigin.Api)
            {
                bool live = change.Kind != RuleEventKind.Deleted;
                ulong expiration = live ? change.Entry.Expiration : 0;
                Write(
                    cidr, NextFor(cidr), live ? ReplicaState.Live : ReplicaState.Removed, ReplicaFlags.Applied,
                    live ? change.Entry.Tag.Span : default, expiration, DeadlineOf(expiration, null));
                EnqueueForAll(_table.Find(cidr));
            }
        }
    }

    /// <summary>Whether a stamp is a later word on the CIDR than what is known.</summary>
    public bool IsNews(Cidr cidr, Stamp stamp)
    {
        lock (_gate)
        {
            int slot = _table.Find(cidr);
            return slot < 0 || StampOf(slot) < stamp;
        }
    }

    /// <summary>Whether the word of a peer is a later one than what is known.</summary>
    public bool IsNews(RemoteChange change)
    {
        lock (_gate)
        {
            int slot = _table.Find(change.Cidr);
            return slot < 0 || StampOf(slot) < change.Stamp!.Value
                || (StampOf(slot) == change.Stamp!.Value && Prevails(slot, change));
        }
    }

    /// <summary>
    /// Only a node that lies says two things under one stamp. Still all nodes have to agree on one of them: a removal comes
    /// before all else, and the greater tag. A rule is over when it is for one of them, but for what clocks and transfers explain.
    /// </summary>
    private bool Prevails(int slot, RemoteChange change)
    {
        ref Replica known = ref _table[slot];
        return change.State switch
        {
            ReplicaState.Removed => known.State != ReplicaState.Removed,
            ReplicaState.Expired => known.State == ReplicaState.Live && !(LeftOf(ref known) < PeeringEngine.MaxTransit),
            _ => known.State == ReplicaState.Live && change.Tag.Span.SequenceCompareTo(_tags.Utf8(known.Tag)) > 0,
        };
    }

    /// <summary>Whether there is room for one more live record.</summary>
    public bool HasRoom
    {
        get
        {
            lock (_gate)
            {
                return _table.Count - Dead < maxLive;
            }
        }
    }

    /// <summary>
    /// Whether the word of a peer can be recorded: always where it takes the place of another word, else where the table of
    /// its kind has room. A removal finds room by the eviction of one that makes no difference. Counts refusals.
    /// </summary>
    public bool HasRoomFor(RemoteChange change)
    {
        lock (_gate)
        {
            bool isLive = change.State == ReplicaState.Live;
            int slot = _table.Find(change.Cidr);
            bool fits = isLive
                ? (slot >= 0 && _table[slot].State == ReplicaState.Live) || _table.Count - Dead < maxLive
                : slot >= 0 || Dead < MaxDead || TryFindNeedless();
            fits = fits && _nodes.HasRoomFor(change.Stamp!.Value.Node);
            _refused += fits ? 0 : 1;
            return fits;
        }
    }

    /// <summary>Takes the word of another node in. Called by whoever holds the store, after it did its part.</summary>
    public void Record(
        Cidr cidr, Stamp stamp, ReplicaState state, ReplicaFlags flags, ReadOnlySpan<byte> tag, ulong expiration, TimeSpan? left)
    {
        lock (_gate)
        {
            _clock.Observe(stamp.Time);
            Write(cidr, stamp, state, flags, tag, expiration, DeadlineOf(expiration, left));
            int slot = _table.Find(cidr);
            if (state == ReplicaState.Live && (flags & (ReplicaFlags.Applied | ReplicaFlags.Shadowed)) == 0)
            {
                Await(slot);
            }
        }
    }

    /// <summary>The record of a CIDR; for answers to the operator and for tests.</summary>
    public bool TryGet(Cidr cidr, out OutgoingJob job, out ReplicaFlags flags)
    {
        lock (_gate)
        {
            int slot = _table.Find(cidr);
            job = slot < 0 ? default : Read(slot, default, known: true);
            flags = slot < 0 ? default : _table[slot].Flags;
            return slot >= 0;
        }
    }

    /// <summary>A live record that the store could not take so far, or whose set has gone; each is given once.</summary>
    public bool TryTakeUnapplied(out OutgoingJob job)
    {
        lock (_gate)
        {
            int slot = Waiting.First;
            job = slot < 0 ? default : Read(slot, default, known: true);
            if (slot >= 0)
            {
                EndWaiting(slot);
            }

            return slot >= 0;
        }
    }

    /// <summary>Puts a record that was taken back at the end, if it is still one that the store should hold.</summary>
    public void ReturnUnapplied(Cidr cidr)
    {
        lock (_gate)
        {
            int slot = _table.Find(cidr);
            if (slot >= 0 && _table[slot].State == ReplicaState.Live && !_table[slot].Has(ReplicaFlags.Applied | ReplicaFlags.Shadowed))
            {
                Await(slot);
            }
        }
    }

    /// <summary>Live records that the store does not hold, whatever the reason.</summary>
    public int UnappliedCount
    {
        get
        {
            lock (_gate)
            {
                return Waiting.Count;
            }
        }
    }

    private void Await(int slot)
    {
        if (!_table[slot].Has(ReplicaFlags.Waiting))
        {
            _table[slot].Flags |= ReplicaFlags.Waiting;
            Waiting.Append(slot);
        }
    }

    private void EndWaiting(int slot)
    {
        if (_table[slot].Has(ReplicaFlags.Waiting))
        {
            _table[slot].Flags &= ~ReplicaFlags.Waiting;
            Waiting.Remove(slot);
        }
    }

    private void OnExpired(Cidr cidr)
    {
        int slot = _table.Find(cidr);
        if (slot >= 0 && _table[slot].State == ReplicaState.Live && _table[slot].Has(ReplicaFlags.Applied))
        {
            Kill(slot);
        }
    }

    /// <summary>
    /// A set that takes a CIDR over makes no job: the rule lives on in the cluster, and here again when the set goes.
    /// </summary>
    private void OnSetChange(Cidr cidr, RuleEventKind kind)
    {
        int slot = _table.Find(cidr);
        if (slot < 0 || _table[slot].State != ReplicaState.Live)
        {
            return;
        }

        ref Replica replica = ref _table[slot];
        if (kind != RuleEventKind.Deleted)
        {
            EndWaiting(slot);
            replica.Flags = (replica.Flags & ~ReplicaFlags.Applied) | ReplicaFlags.Shadowed;
        }
        else if (replica.Has(ReplicaFlags.Shadowed))
        {
            replica.Flags &= ~ReplicaFlags.Shadowed;
            Await(slot);
        }
    }

    private void Write(
        Cidr cidr, Stamp stamp, ReplicaState state, ReplicaFlags flags, ReadOnlySpan<byte> tag, ulong expiration, long deadline)
    {
        int node = _nodes.Acquire(stamp.Node), tagId = _tags.Acquire(tag);
        int slot = _table.Find(cidr);
        if (slot < 0)
        {
            slot = _table.Insert(cidr);
            _table[slot].Unaware = _openQueues;
        }
        else
        {
            Empty(slot);
        }

        ref Replica replica = ref _table[slot];
        replica.Time = stamp.Time;
        replica.Node = node;
        replica.Tag = tagId;
        replica.Expiration = expiration;
        replica.Deadline = deadline;
        replica.State = state;
        replica.Flags = flags & (ReplicaFlags.Applied | ReplicaFlags.Shadowed);
        if (state == ReplicaState.Live)
        {
            EnterDigest(slot);
        }
        else
        {
            Bury(slot);
        }
    }

    /// <summary>Takes what a record says out of sums, heap and name tables; its place and its queue bits stay.</summary>
    private void Empty(int slot)
    {
        ref Replica replica = ref _table[slot];
        LeaveDigest(slot);
        EndWaiting(slot);
        if (replica.State != ReplicaState.Live)
        {
            Graves.Remove(slot);
        }

        _nodes.Release(replica.Node);
        _tags.Release(replica.Tag);
    }

    /// <summary>A live record's time has come: the same word, now a dead one.</summary>
    private void Kill(int slot)
    {
        LeaveDigest(slot);
        EndWaiting(slot);
        _table[slot].State = ReplicaState.Expired;
        Bury(slot);
    }

    private Stamp StampOf(int slot) => new(_table[slot].Time, _nodes[_table[slot].Node]);

    private OutgoingJob Read(int slot, PeerQueue.Item place, bool known)
    {
        ref Replica replica = ref _table[slot];
        return new OutgoingJob(
            replica.Cidr, StampOf(slot), replica.State, _tags.Utf8(replica.Tag), replica.Expiration, LeftOf(ref replica), known, place);
    }

    private TimeSpan? LeftOf(ref Replica replica) => replica.Deadline == long.MaxValue
        ? null
        : time.GetElapsedTime(time.GetTimestamp(), replica.Deadline);

    private long DeadlineOf(ulong expiration, TimeSpan? left)
    {
        const ulong LastSecond = 253_402_300_799; // the year 9999: never, as the store has it
        if (expiration is 0 or > LastSecond)
        {
            return long.MaxValue;
        }

        left ??= DateTimeOffset.FromUnixTimeSeconds((long)expiration) - time.GetUtcNow();
        double ticks = Math.Max(0, left.Value.TotalSeconds) * time.TimestampFrequency;
        long now = time.GetTimestamp();
        return ticks < long.MaxValue - now ? now + (long)ticks : long.MaxValue;
    }
}
