using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// The replicated state of one policy: for each CIDR the latest value with its version, live or a tombstone, and the peers that
/// have not confirmed it. It changes only under the store lock, so it never disagrees with the store; its own lock, inside the
/// store's, lets readers avoid the store lock. All members are thread-safe.
/// </summary>
internal sealed partial class RegisterTable(Policy policy, ulong self, int maxLive, TimeProvider time)
{
    /// <summary>Upper bound of tombstones, 104 bytes each.</summary>
    public const int MaxTombstones = 262_144;

    /// <summary>Upper bound of node numbers in use: many more than a cluster draws while one rule lasts.</summary>
    public const int MaxNodes = 65_536;

    /// <summary>Live registers beyond the store's limit: values that wait for space in its table.</summary>
    public static int MaxWaiting(int entries) => Math.Max(1_024, entries / 4);

    private readonly Lock _gate = new();
    private readonly RegisterSlots _table = new();
    private SlotList? _tombstones;
    private SlotList? _waiting;
    private readonly DigestTree _digest = new();
    private readonly HybridClock _clock = new(time);
    private readonly InternTable<ulong> _nodes = new(none: ulong.MaxValue);
    private readonly NameTable _tags = new(pinned: 0);
    private readonly ReasonTexts _reasonTexts = new();
    private SlotReasons? _reasons;
    private IndexedHeap<Register>? _heap;

    private readonly HashSet<Cidr> _lapsed = [];

    public Policy Policy => policy;

    private IndexedHeap<Register> Heap => _heap ??= new IndexedHeap<Register>(_table.Table);

    private SlotReasons Reasons => _reasons ??= new SlotReasons(_reasonTexts);

    /// <summary>Tombstones, oldest first.</summary>
    private SlotList Tombstones => _tombstones ??= new SlotList(_table);

    /// <summary>Live registers that the store does not hold and no set shadows.</summary>
    private SlotList Waiting => _waiting ??= new SlotList(_table);

    /// <summary>Records a change of the store. The store calls it under its lock.</summary>
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
                    live ? change.Entry.Tag.Span : default, live ? change.Entry.Reason.Span : default, expiration, DeadlineOf(expiration, null));
                OnNewValue(_table.Find(cidr), relays: false);
                EnqueueForAll(_table.Find(cidr));
            }
        }
    }

    /// <summary>Whether a version is newer than the known one.</summary>
    public bool IsNewer(Cidr cidr, RuleVersion version)
    {
        lock (_gate)
        {
            int slot = _table.Find(cidr);
            return slot < 0 || VersionOf(slot) < version;
        }
    }

    /// <summary>Whether a peer's change is newer than the known value.</summary>
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
    /// Decides between two values with the same version, which only a faulty node sends. All nodes must agree on one: a removal
    /// wins, then the greater tag. An expiry wins over a live value, except for differences that clocks and transfers explain.
    /// </summary>
    private bool Prevails(int slot, RemoteChange change)
    {
        ref Register known = ref _table[slot];
        return change.State switch
        {
            RegisterState.Removed => known.State != RegisterState.Removed,
            RegisterState.Expired => known.State == RegisterState.Live && !(LeftOf(ref known) < PeeringEngine.MaxTransit),
            _ => known.State == RegisterState.Live && change.Tag.Span.SequenceCompareTo(_tags[known.Tag]) > 0,
        };
    }

    /// <summary>Whether another live register fits.</summary>
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
    /// Whether a peer's change can be recorded: always if it replaces a value of its kind, otherwise if the table has space. A
    /// removal may evict a tombstone that no peer needs. Counts refusals.
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
            fits = fits && (_nodes.Count < MaxNodes || _nodes.Find(change.Version!.Value.Node) >= 0);
            _refused += fits ? 0 : 1;
            return fits;
        }
    }

    /// <summary>Records a value of another node. The caller holds the store lock and has changed the store.</summary>
    public void Record(
        Cidr cidr, RuleVersion version, RegisterState state, RegisterFlags flags, ReadOnlySpan<byte> tag, ulong expiration, TimeSpan? left,
        ReadOnlySpan<byte> reason = default)
    {
        lock (_gate)
        {
            _clock.Observe(version.Time);
            int known = _table.Find(cidr);
            bool isNew = known < 0 || VersionOf(known) != version || _table[known].State != state;
            Write(cidr, version, state, flags, tag, reason, expiration, DeadlineOf(expiration, left));
            int slot = _table.Find(cidr);
            if (isNew)
            {
                OnNewValue(slot, relays: true);
            }

            if (state == RegisterState.Live && (flags & (RegisterFlags.Applied | RegisterFlags.Shadowed)) == 0)
            {
                Await(slot);
            }
        }
    }

    /// <summary>Finds the register of a CIDR.</summary>
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

    /// <summary>Takes a live register off the list of those that the store does not hold.</summary>
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

    /// <summary>Returns a register that was taken to the end of that list, if the store should still hold it.</summary>
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

    /// <summary>CIDRs whose value expired before the store took it: the store may still hold the value before that.</summary>
    public Cidr[] TakeLapsed()
    {
        lock (_gate)
        {
            Cidr[] lapsed = [.. _lapsed];
            _lapsed.Clear();
            return lapsed;
        }
    }

    /// <summary>The store would not remove it; it is tried again.</summary>
    public void ReturnLapsed(Cidr cidr)
    {
        lock (_gate)
        {
            _lapsed.Add(cidr);
        }
    }

    /// <summary>Live registers that the store does not hold.</summary>
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
    /// A set that takes over a CIDR is not replicated: the rule stays in the cluster, and applies here again when the set no
    /// longer has it.
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
        Cidr cidr, RuleVersion version, RegisterState state, RegisterFlags flags, ReadOnlySpan<byte> tag, ReadOnlySpan<byte> reason,
        ulong expiration, long deadline)
    {
        int node = _nodes.Acquire(version.Node), tagId = _tags.Acquire(tag), reasonId = _reasonTexts.Acquire(reason);
        int slot = _table.Find(cidr);
        if (slot < 0)
        {
            slot = _table.Insert(cidr);
            _table[slot].NeverSent = _openQueues;
            ForgetPosition(slot);
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
        if (reasonId != 0)
        {
            Reasons.Set(slot, reasonId);
            register.Flags |= RegisterFlags.HasReason;
        }

        _changes?.Set(slot);
        if (state == RegisterState.Live)
        {
            EnterDigest(slot);
        }
        else
        {
            AddTombstone(slot);
        }
    }

    /// <summary>Removes a value from digest, heap and intern tables; its slot and queue bits stay.</summary>
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
        ForgetReason(slot);
    }

    private void ForgetReason(int slot)
    {
        if (_table[slot].Has(RegisterFlags.HasReason))
        {
            _table[slot].Flags &= ~RegisterFlags.HasReason;
            _reasonTexts.Release(Reasons[slot]);
            Reasons.Set(slot, 0);
        }
    }

    /// <summary>A live register expires: the same version becomes a tombstone.</summary>
    private void Expire(int slot)
    {
        LeaveDigest(slot);
        EndWaiting(slot);
        ForgetReason(slot);
        _table[slot].State = RegisterState.Expired;
        _changes?.Set(slot);
        AddTombstone(slot);
    }

    private RuleVersion VersionOf(int slot) => new(_table[slot].Time, _nodes[_table[slot].Node]);

    private OutgoingJob Read(int slot, PeerQueue.Item place, bool known)
    {
        ref Register register = ref _table[slot];
        return new OutgoingJob(
            register.Cidr, VersionOf(slot), register.State, _tags[register.Tag], register.Expiration, LeftOf(ref register), known, place)
        {
            Reason = register.Has(RegisterFlags.HasReason) ? Reasons.Text(slot) : default(ReadOnlyMemory<byte>),
        };
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

    /// <summary>The logical time for hellos, so that the peer's next change gets a later version.</summary>
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

    /// <summary>Whether a version is not too far ahead of the local wall clock.</summary>
    public bool Accepts(ulong versioned)
    {
        lock (_gate)
        {
            return _clock.Accepts(versioned);
        }
    }

    /// <summary>How far a version is ahead of the local wall clock; not negative.</summary>
    public TimeSpan LeadOf(ulong versioned)
    {
        lock (_gate)
        {
            return _clock.LeadOf(versioned);
        }
    }

    /// <summary>Follows the logical clock of another node.</summary>
    public void ObserveTime(ulong seen)
    {
        lock (_gate)
        {
            _clock.Observe(seen);
        }
    }

    /// <summary>A version for a change without one: it came from a legacy node.</summary>
    public RuleVersion NewVersion()
    {
        lock (_gate)
        {
            return new RuleVersion(_clock.Next(), self);
        }
    }

    /// <summary>As <see cref="NewVersion()"/>, and later than the known version of the CIDR.</summary>
    public RuleVersion NewVersion(Cidr cidr)
    {
        lock (_gate)
        {
            return NextFor(cidr);
        }
    }

    /// <summary>
    /// Whether the local wall clock was set back so far that peers would refuse existing versions. These have to be renewed, or
    /// they would win over every later change until the clock has caught up.
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

    /// <summary>Renews versions that are too far ahead. The caller holds the store lock.</summary>
    /// <param name="budget">Maximum number of slots to examine.</param>
    /// <returns>The number of renewed versions.</returns>
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
        _changes?.Set(slot);
        if (counts)
        {
            Toggle(slot);
        }

        OnNewValue(slot, relays: false);
        if (register.State != RegisterState.Expired)
        {
            EnqueueForAll(slot); // each node expires its own
        }
    }

    /// <summary>
    /// The version of a local change: later than the known one, even if that is ahead of the clock. A version too far ahead is
    /// not followed; it is renewed (<see cref="RenewVersions(int)"/>).
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

    /// <summary>Memory that the reasons take; used by tests.</summary>
    public int ReasonBytes
    {
        get
        {
            lock (_gate)
            {
                return _reasonTexts.Bytes;
            }
        }
    }

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
    /// Drops tombstones that no node needs: every peer has confirmed them, and has since compared often enough that no older
    /// value can return (<see cref="StabilityTracker"/>).
    /// </summary>
    /// <param name="stableBefore">Monotonic timestamp; <see cref="StabilityTracker.StableBefore"/>.</param>
    /// <param name="budget">Maximum number of tombstones to examine.</param>
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
    /// Makes a register a tombstone. At <see cref="MaxTombstones"/>, evicts one that no peer needs in the same step, otherwise
    /// the oldest.
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
    /// Moves a tombstone that no peer needs to the front: an expired one, or one whose rule was never sent to an absent peer.
    /// Examines a bounded number, so that each call costs the same.
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
        _changes?.Set(slot);
    }
}

/// <summary>The registers that a node keeps for the rules of one policy.</summary>
/// <param name="Live">Live rules of the cluster.</param>
/// <param name="Tombstones">Removed and expired rules.</param>
/// <param name="Waiting">Live values that the store table or the data plane has refused so far.</param>
/// <param name="Evicted">Tombstones evicted early although an absent peer may hold the rule.</param>
/// <param name="Refused">Changes of peers that were refused because the table was full.</param>
public readonly record struct RecordCounts(int Live, int Tombstones, int Waiting, long Evicted, long Refused);
