using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// What this node knows of one policy's rules in the whole cluster: for each CIDR the last word on it with its version, live
/// or dead, and which peers have yet to hear it. It is changed under the store's lock only (by the feed, and by whoever
/// holds the store to apply a peer's change), so it never disagrees with the store; its own lock, inside the store's, lets
/// it be read without stopping the store. All members are thread-safe.
/// </summary>
internal sealed partial class RegisterTable(Policy policy, ulong self, int maxLive, TimeProvider time)
{
    /// <summary>Dead records that are kept at most, 104 bytes each.</summary>
    public const int MaxTombstones = 262_144;

    /// <summary>Live records beyond the store's own limit: rules that wait for room in its table.</summary>
    public static int MaxWaiting(int entries) => Math.Max(1_024, entries / 4);

    private readonly Lock _gate = new();
    private readonly RegisterSlots _table = new();
    private SlotList? _tombstones;
    private SlotList? _waiting;
    private readonly DigestTree _digest = new();
    private readonly HybridClock _clock = new(time);
    private readonly NodeTable _nodes = new();
    private readonly NameTable _tags = new(pinned: 0);
    private DeadlineHeap? _heap;

    public Policy Policy => policy;

    private DeadlineHeap Heap => _heap ??= new DeadlineHeap(_table);

    /// <summary>Dead records, oldest first.</summary>
    private SlotList Tombstones => _tombstones ??= new SlotList(_table);

    /// <summary>Live records that the store does not hold and no set shadows.</summary>
    private SlotList Waiting => _waiting ??= new SlotList(_table);

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
                    cidr, NextFor(cidr), live ? RegisterState.Live : RegisterState.Removed, RegisterFlags.Applied,
                    live ? change.Entry.Tag.Span : default, expiration, DeadlineOf(expiration, null));
                EnqueueForAll(_table.Find(cidr));
            }
        }
    }

    /// <summary>Whether a version is a later word on the CIDR than what is known.</summary>
    public bool IsNewer(Cidr cidr, RuleVersion version)
    {
        lock (_gate)
        {
            int slot = _table.Find(cidr);
            return slot < 0 || VersionOf(slot) < version;
        }
    }

    /// <summary>Whether the word of a peer is a later one than what is known.</summary>
    public bool IsNewer(RemoteChange change)
    {
        lock (_gate)
        {
            int slot = _table.Find(change.Cidr);
            return slot < 0 || VersionOf(slot) < change.Version!.Value
                || (VersionOf(slot) == change.Version!.Value && Prevails(slot, change));
        }
    }

    /// <summary>
    /// Only a node that lies says two things under one version. Still all nodes have to agree on one of them: a removal comes
    /// before all else, and the greater tag. A rule is over when it is for one of them, but for what clocks and transfers explain.
    /// </summary>
    private bool Prevails(int slot, RemoteChange change)
    {
        ref Register known = ref _table[slot];
        return change.State switch
        {
            RegisterState.Removed => known.State != RegisterState.Removed,
            RegisterState.Expired => known.State == RegisterState.Live && !(LeftOf(ref known) < PeeringEngine.MaxTransit),
            _ => known.State == RegisterState.Live && change.Tag.Span.SequenceCompareTo(_tags.Utf8(known.Tag)) > 0,
        };
    }

    /// <summary>Whether there is room for one more live record.</summary>
    public bool HasRoom
    {
        get
        {
            lock (_gate)
            {
                return _table.Count - Tombstones.Count < maxLive;
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
            bool isLive = change.State == RegisterState.Live;
            int slot = _table.Find(change.Cidr);
            bool fits = isLive
                ? (slot >= 0 && _table[slot].State == RegisterState.Live) || _table.Count - Tombstones.Count < maxLive
                : slot >= 0 || Tombstones.Count < MaxTombstones || TryFindNeedless();
            fits = fits && _nodes.HasRoomFor(change.Version!.Value.Node);
            _refused += fits ? 0 : 1;
            return fits;
        }
    }

    /// <summary>Takes the word of another node in. Called by whoever holds the store, after it did its part.</summary>
    public void Record(
        Cidr cidr, RuleVersion version, RegisterState state, RegisterFlags flags, ReadOnlySpan<byte> tag, ulong expiration, TimeSpan? left)
    {
        lock (_gate)
        {
            _clock.Observe(version.Time);
            Write(cidr, version, state, flags, tag, expiration, DeadlineOf(expiration, left));
            int slot = _table.Find(cidr);
            if (state == RegisterState.Live && (flags & (RegisterFlags.Applied | RegisterFlags.Shadowed)) == 0)
            {
                Await(slot);
            }
        }
    }

    /// <summary>The record of a CIDR; for answers to the operator and for tests.</summary>
    public bool TryGet(Cidr cidr, out OutgoingJob job, out RegisterFlags flags)
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
            if (slot >= 0 && _table[slot].State == RegisterState.Live && !_table[slot].Has(RegisterFlags.Applied | RegisterFlags.Shadowed))
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
        if (!_table[slot].Has(RegisterFlags.Waiting))
        {
            _table[slot].Flags |= RegisterFlags.Waiting;
            Waiting.Append(slot);
        }
    }

    private void EndWaiting(int slot)
    {
        if (_table[slot].Has(RegisterFlags.Waiting))
        {
            _table[slot].Flags &= ~RegisterFlags.Waiting;
            Waiting.Remove(slot);
        }
    }

    private void OnExpired(Cidr cidr)
    {
        int slot = _table.Find(cidr);
        if (slot >= 0 && _table[slot].State == RegisterState.Live && _table[slot].Has(RegisterFlags.Applied))
        {
            Expire(slot);
        }
    }

    /// <summary>
    /// A set that takes a CIDR over makes no job: the rule lives on in the cluster, and here again when the set goes.
    /// </summary>
    private void OnSetChange(Cidr cidr, RuleEventKind kind)
    {
        int slot = _table.Find(cidr);
        if (slot < 0 || _table[slot].State != RegisterState.Live)
        {
            return;
        }

        ref Register register = ref _table[slot];
        if (kind != RuleEventKind.Deleted)
        {
            EndWaiting(slot);
            register.Flags = (register.Flags & ~RegisterFlags.Applied) | RegisterFlags.Shadowed;
        }
        else if (register.Has(RegisterFlags.Shadowed))
        {
            register.Flags &= ~RegisterFlags.Shadowed;
            Await(slot);
        }
    }

    private void Write(
        Cidr cidr, RuleVersion version, RegisterState state, RegisterFlags flags, ReadOnlySpan<byte> tag, ulong expiration, long deadline)
    {
        int node = _nodes.Acquire(version.Node), tagId = _tags.Acquire(tag);
        int slot = _table.Find(cidr);
        if (slot < 0)
        {
            slot = _table.Insert(cidr);
            _table[slot].NeverSent = _openQueues;
        }
        else
        {
            Empty(slot);
        }

        ref Register register = ref _table[slot];
        register.Time = version.Time;
        register.Node = node;
        register.Tag = tagId;
        register.Expiration = expiration;
        register.Deadline = deadline;
        register.State = state;
        register.Flags = flags & (RegisterFlags.Applied | RegisterFlags.Shadowed);
        if (state == RegisterState.Live)
        {
            EnterDigest(slot);
        }
        else
        {
            AddTombstone(slot);
        }
    }

    /// <summary>Takes what a record says out of sums, heap and name tables; its place and its queue bits stay.</summary>
    private void Empty(int slot)
    {
        ref Register register = ref _table[slot];
        LeaveDigest(slot);
        EndWaiting(slot);
        if (register.State != RegisterState.Live)
        {
            Tombstones.Remove(slot);
        }

        _nodes.Release(register.Node);
        _tags.Release(register.Tag);
    }

    /// <summary>A live record's time has come: the same word, now a dead one.</summary>
    private void Expire(int slot)
    {
        LeaveDigest(slot);
        EndWaiting(slot);
        _table[slot].State = RegisterState.Expired;
        AddTombstone(slot);
    }

    private RuleVersion VersionOf(int slot) => new(_table[slot].Time, _nodes[_table[slot].Node]);

    private OutgoingJob Read(int slot, PeerQueue.Item place, bool known)
    {
        ref Register register = ref _table[slot];
        return new OutgoingJob(
            register.Cidr, VersionOf(slot), register.State, _tags.Utf8(register.Tag), register.Expiration, LeftOf(ref register), known, place);
    }

    private TimeSpan? LeftOf(ref Register register) => register.Deadline == long.MaxValue
        ? null
        : time.GetElapsedTime(time.GetTimestamp(), register.Deadline);

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

    private int _seenResets;
    private int _renewFrom = -1;

    /// <summary>
    /// The time that others should know of, so that their next change is stamped later than ours.
    /// </summary>
    public ulong Time
    {
        get
        {
            lock (_gate)
            {
                return _clock.Next();
            }
        }
    }

    /// <summary>Whether a version is not too far ahead of the own wall clock.</summary>
    public bool Accepts(ulong versioned)
    {
        lock (_gate)
        {
            return _clock.Accepts(versioned);
        }
    }

    /// <summary>By how much a version is ahead of the own wall clock; not negative.</summary>
    public TimeSpan LeadOf(ulong versioned)
    {
        lock (_gate)
        {
            return _clock.LeadOf(versioned);
        }
    }

    /// <summary>Takes note of how far the clocks of others have come.</summary>
    public void ObserveTime(ulong seen)
    {
        lock (_gate)
        {
            _clock.Observe(seen);
        }
    }

    /// <summary>A version for a change that carries none: one by a node that knows only the plain wire.</summary>
    public RuleVersion NewVersion()
    {
        lock (_gate)
        {
            return new RuleVersion(_clock.Next(), self);
        }
    }

    /// <summary>As <see cref="NewVersion()"/>, and later than what is known of the CIDR.</summary>
    public RuleVersion NewVersion(Cidr cidr)
    {
        lock (_gate)
        {
            return NextFor(cidr);
        }
    }

    /// <summary>
    /// Whether the own wall clock was set back so far that peers would refuse records made before. Their versions have to be
    /// renewed, or they would win over every later change until the wall clock has caught up.
    /// </summary>
    public bool NeedsRenewal
    {
        get
        {
            lock (_gate)
            {
                _clock.FollowBack();
                if (_clock.Resets != _seenResets)
                {
                    _seenResets = _clock.Resets;
                    _renewFrom = 0;
                }

                return _renewFrom >= 0;
            }
        }
    }

    /// <summary>Renews the versions of records from the future. Called by the holder of the store.</summary>
    /// <param name="budget">Slots to look at, at most.</param>
    /// <returns>How many were renewed.</returns>
    public int RenewVersions(int budget)
    {
        lock (_gate)
        {
            int renewed = 0, end = Math.Min(_table.Used, _renewFrom + budget);
            ulong limit = _clock.LeadLimit;
            for (int slot = _renewFrom; slot < end; slot++)
            {
                if (_table[slot].InUse && _table[slot].Time > limit)
                {
                    Renew(slot);
                    renewed++;
                }
            }

            _renewFrom = end < _table.Used ? end : -1;
            return renewed;
        }
    }

    private void Renew(int slot)
    {
        ref Register register = ref _table[slot];
        bool counts = register.Has(RegisterFlags.InDigest);
        if (counts)
        {
            Toggle(slot);
        }

        int node = _nodes.Acquire(self);
        _nodes.Release(register.Node);
        register.Node = node;
        register.Time = _clock.Next();
        if (counts)
        {
            Toggle(slot);
        }

        if (register.State != RegisterState.Expired)
        {
            EnqueueForAll(slot); // each node expires its own
        }
    }

    /// <summary>
    /// The version of a local change: later than the known record even where that is ahead of the clock. A record too far
    /// ahead is not followed; it loses its version as well (<see cref="RenewVersions(int)"/>).
    /// </summary>
    private RuleVersion NextFor(Cidr cidr)
    {
        ulong next = _clock.Next();
        int slot = _table.Find(cidr);
        if (slot >= 0 && _table[slot].Time >= next && _clock.Accepts(_table[slot].Time))
        {
            next = _table[slot].Time + 1;
        }

        return new RuleVersion(next, self);
    }

    private long _evicted;
    private long _refused;

    /// <summary>Dead records that are kept; for status and tests.</summary>
    public int TombstoneCount
    {
        get
        {
            lock (_gate)
            {
                return Tombstones.Count;
            }
        }
    }

    public int LiveCount
    {
        get
        {
            lock (_gate)
            {
                return _table.Count - Tombstones.Count;
            }
        }
    }

    public RecordCounts Counts
    {
        get
        {
            lock (_gate)
            {
                return new RecordCounts(_table.Count - Tombstones.Count, Tombstones.Count, Waiting.Count, _evicted, _refused);
            }
        }
    }

    /// <summary>
    /// Forgets dead records that nobody needs: every peer has confirmed them, and has since compared its rules with ours
    /// often enough that none can come back with an older word (<see cref="StabilityTracker"/>).
    /// </summary>
    /// <param name="stableBefore">Monotonic timestamp; <see cref="StabilityTracker.StableBefore"/>.</param>
    /// <param name="budget">Records to look at, at most.</param>
    public void Collect(long stableBefore, int budget)
    {
        lock (_gate)
        {
            PassDeadlines();
            for (; budget > 0 && Tombstones.First is var slot and >= 0 && _table[slot].TombstoneSince < stableBefore; budget--)
            {
                if (_table[slot].Queued == 0)
                {
                    Forget(slot);
                }
                else
                {
                    Tombstones.MoveToEnd(slot); // not this one; the next may go
                }
            }
        }
    }

    /// <summary>
    /// Takes a record among the dead. They are never more than <see cref="MaxTombstones"/>: one that makes no difference is
    /// evicted in the same step, and where there is none, the oldest.
    /// </summary>
    private void AddTombstone(int slot)
    {
        if (Tombstones.Count >= MaxTombstones)
        {
            _evicted += TryFindNeedless() ? 0 : 1;
            Forget(Tombstones.First);
        }

        _table[slot].TombstoneSince = time.GetTimestamp();
        Tombstones.Append(slot);
    }

    /// <summary>
    /// Brings a dead record to the front that makes no difference to a peer: an expired one, or one of a rule that no absent
    /// peer ever heard of. Looks at some only, so that each burial costs the same.
    /// </summary>
    private bool TryFindNeedless()
    {
        const int Looks = 32;
        for (int look = 0; look < Looks && Tombstones.First >= 0; look++)
        {
            ref Register register = ref _table[Tombstones.First];
            if (register.State == RegisterState.Expired || (register.Queued & ~register.NeverSent) == 0)
            {
                return true;
            }

            Tombstones.MoveToEnd(Tombstones.First);
        }

        return false;
    }

    private void Forget(int slot)
    {
        ref Register register = ref _table[slot];
        for (int peer = 0; register.Queued != 0 && peer < _queues.Length; peer++)
        {
            if (IsQueued(slot, peer))
            {
                _queues[peer]!.Count--;
            }
        }

        Empty(slot);
        _table.Remove(slot);
    }
}

/// <summary>The records that a node keeps for the rules of one policy, and what did not fit among them.</summary>
/// <param name="Live">Rules of the cluster.</param>
/// <param name="Tombstones">Removed and expired rules that are remembered.</param>
/// <param name="Waiting">Live ones that the table or the data plane has refused so far.</param>
/// <param name="Evicted">Dead ones that were forgotten early although an absent peer may hold the rule.</param>
/// <param name="Refused">Words of peers that were refused as there was no room for a record.</param>
public readonly record struct RecordCounts(int Live, int Tombstones, int Waiting, long Evicted, long Refused);
