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
    /// <summary>Dead records that are kept at most, 104 bytes each; the table of live rules is as large.</summary>
    public const int MaxDead = 262_144;

    private readonly Lock _gate = new();
    private readonly ReplicaTable _table = new();
    private readonly DigestTree _digest = new();
    private readonly HybridClock _clock = new(time);
    private readonly NodeTable _nodes = new();
    private readonly NameTable _tags = new(pinned: 0);
    private readonly Queue<Cidr> _unapplied = new();
    private DeadlineHeap? _heap;

    public Policy Policy => policy;

    private DeadlineHeap Heap => _heap ??= new DeadlineHeap(_table);

    private int Dead { get; set; }

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

    /// <summary>Whether one more live record fits.</summary>
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

    /// <summary>Takes the word of another node in. Called by whoever holds the store, after it did its part.</summary>
    public void Record(
        Cidr cidr, Stamp stamp, ReplicaState state, ReplicaFlags flags, ReadOnlySpan<byte> tag, ulong expiration, TimeSpan? left)
    {
        lock (_gate)
        {
            _clock.Observe(stamp.Time);
            Write(cidr, stamp, state, flags, tag, expiration, DeadlineOf(expiration, left));
            if (state == ReplicaState.Live && (flags & (ReplicaFlags.Applied | ReplicaFlags.Shadowed)) == 0)
            {
                _unapplied.Enqueue(cidr);
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
            while (_unapplied.TryDequeue(out Cidr cidr))
            {
                int slot = _table.Find(cidr);
                if (slot >= 0 && _table[slot].State == ReplicaState.Live
                    && !_table[slot].Has(ReplicaFlags.Applied | ReplicaFlags.Shadowed))
                {
                    job = Read(slot, default, known: true);
                    return true;
                }
            }

            job = default;
            return false;
        }
    }

    /// <summary>Live records that the store does not hold, whatever the reason.</summary>
    public int UnappliedCount
    {
        get
        {
            lock (_gate)
            {
                return _unapplied.Count;
            }
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
            replica.Flags = (replica.Flags & ~ReplicaFlags.Applied) | ReplicaFlags.Shadowed;
        }
        else if (replica.Has(ReplicaFlags.Shadowed))
        {
            replica.Flags &= ~ReplicaFlags.Shadowed;
            _unapplied.Enqueue(cidr);
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
        Dead -= replica.State == ReplicaState.Live ? 0 : 1;
        _nodes.Release(replica.Node);
        _tags.Release(replica.Tag);
    }

    /// <summary>A live record's time has come: the same word, now a dead one.</summary>
    private void Kill(int slot)
    {
        LeaveDigest(slot);
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
