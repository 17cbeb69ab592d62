using System.Diagnostics;

namespace Couic.Store;

/// <summary>
/// The rules of both policies. It decides every change, has the data plane apply it, and only then publishes it to readers' queries and
/// listeners; so what the kernel enforces is what the store holds. All members are thread-safe.
/// </summary>
public sealed partial class RuleStore
{
    /// <summary>Changes that are made in one batch.</summary>
    public const int MaxBatch = ChangeBatch.Capacity;

    /// <summary>Longest time for which a bulk job lets others have the lock, between two acquisitions of it.</summary>
    private static readonly TimeSpan MaxYield = TimeSpan.FromMilliseconds(5);

    private readonly Lock _gate = new();
    private readonly TimeProvider _time;
    private readonly BatchPipeline _pipeline;
    private readonly SetReplacement _replacement;
    private readonly ChangeBatch[] _batches;

    /// <summary>For a single change, and for an expiry that has to come before it.</summary>
    private readonly ChangeBatch _single;
    private readonly ChangeBatch _expiry;
    private int _waiting;
    private byte[] _lastActor = [];

    /// <summary>Requests of the pipeline that are planned and not committed, and their policy.</summary>
    private int _inFlight;
    private Policy _inFlightPolicy;

    /// <summary>Keeps the compiler from removing the reads that prefetch.</summary>
    private int _prefetchSink;

    /// <param name="time">Wall clock for creation and expiry in answers, monotonic clock for the moment at which an entry expires.</param>
    public RuleStore(IDataPlane plane, StoreLimits limits, TimeProvider time)
    {
        Plane = plane;
        Limits = limits;
        _time = time;
        Guard = new LockoutGuard(this, time);
        Tables = new RuleTables(plane, limits, time);
        _batches = [NewBatch(), NewBatch(), NewBatch(), NewBatch(), NewBatch()];
        _pipeline = new BatchPipeline(this, _batches[0], _batches[1]);
        _single = _batches[2];
        _expiry = _batches[3];
        _replacement = new SetReplacement(this, _batches[4]);
    }

    public StoreLimits Limits { get; }

    /// <summary>Every way in asks the guard before a change; the store itself makes whatever change it is given.</summary>
    public LockoutGuard Guard { get; }

    /// <summary>Why the data plane last refused a change; null if it never did.</summary>
    public PlaneRefusal? LastRefusal { get; internal set; }

    internal IDataPlane Plane { get; }

    internal RuleTables Tables { get; }

    /// <summary>For tests: the slices of <see cref="ReplaceSets"/>, and what happens between them.</summary>
    internal SetReplacement Replacement => _replacement;

    /// <summary>Adds a listener. Not while changes are being made.</summary>
    public void Subscribe(IChangeListener listener) => Array.ForEach(_batches, batch => batch.Listeners = [.. batch.Listeners, listener]);

    /// <summary>
    /// Keeps every other change and query out until the scope is disposed; the holder itself may call the store. So a decision about an
    /// entry and the change that follows from it are one step. To be held for microseconds.
    /// </summary>
    public Lock.Scope Hold() => EnterExclusive();

    /// <summary>Adds an entry, or with <see cref="ConflictMode.Update"/> replaces tag, expiry and reason of an existing one.</summary>
    /// <param name="cidr">Host bits are cleared.</param>
    /// <param name="tag">Checked by the caller; empty for none.</param>
    /// <param name="expiration">Seconds since 1970, 0 for never; checked by the caller.</param>
    /// <param name="entry">The entry as it is afterwards; also on a conflict.</param>
    public StoreOutcome Add(
        Policy policy, Cidr cidr, ReadOnlySpan<byte> tag, ulong expiration, ConflictMode mode, in ChangeContext context, out Entry entry) =>
        Apply(new ChangeSpec(false, policy, cidr.Network, tag, expiration, mode, context), out entry);

    /// <summary>Removes an entry.</summary>
    /// <param name="entry">The entry as it was.</param>
    public StoreOutcome Remove(Policy policy, Cidr cidr, in ChangeContext context, out Entry entry) =>
        Apply(new ChangeSpec(true, policy, cidr.Network, default, 0, default, context), out entry);

    /// <summary>Removes a tag's claim on a network. An entry that other tags claim too stays, and shows the claim that lasts longest.</summary>
    /// <param name="entry">The entry as it is afterwards, or as it was when it was removed.</param>
    /// <returns>
    /// <see cref="StoreOutcome.Removed"/>; <see cref="StoreOutcome.Updated"/> or <see cref="StoreOutcome.ClaimChanged"/> when the entry stays under
    /// another tag; <see cref="StoreOutcome.Conflict"/> when this tag has no claim on it.
    /// </returns>
    public StoreOutcome RemoveUnder(Policy policy, Cidr cidr, ReadOnlySpan<byte> tag, in ChangeContext context, out Entry entry) =>
        Apply(new ChangeSpec(true, policy, cidr.Network, tag, 0, default, context, isUnderTag: true), out entry);

    /// <summary>
    /// Makes changes in their order, each independent of the others: one that is refused leaves store and kernel as they were. Those that
    /// are made are in force when this returns. Not to be called by the holder of the store (<see cref="Hold"/>).
    /// </summary>
    public void Apply(Span<ChangeRequest> requests) => _pipeline.Run(requests);

    /// <summary>As <see cref="Apply(Span{ChangeRequest})"/>, for one chunk of a long job: callers that wait go first.</summary>
    public void ApplyChunk(Span<ChangeRequest> requests)
    {
        YieldTo(ref _pipeline.Callers);
        Apply(requests);
    }

    /// <summary>Removes entries that have expired. A timer calls it at least every second.</summary>
    /// <param name="expired">Called with each entry that is removed.</param>
    /// <returns>How many entries were removed.</returns>
    public int Expire(Action<Policy, Entry>? expired = null)
    {
        int count = 0;
        foreach (RuleTable table in Tables.All)
        {
            using (EnterExclusive())
            {
                table.RetryDeferred();
            }

            // One at a time, so that a burst of expiries delays no request.
            while (TryExpireNext(table, out Entry? entry))
            {
                if (entry is { } removed)
                {
                    count++;
                    expired?.Invoke(table.Policy, removed);
                }

                YieldToWaiters();
            }
        }

        return count;
    }

    /// <summary>Makes the entries of sets exactly those of the images; see <see cref="SetReplacement"/>.</summary>
    public SetReplacementResult ReplaceSets(SetImage ignore, SetImage drop) => _replacement.Run(ignore, drop);

    /// <summary>The store's lock. Waiting threads are counted, so that long jobs can yield to them.</summary>
    internal Lock.Scope Enter()
    {
        Interlocked.Increment(ref _waiting);
        Lock.Scope scope = _gate.EnterScope();
        Interlocked.Decrement(ref _waiting);
        return scope;
    }

    /// <summary>The store's lock, at a moment when no change is on its way to the data plane.</summary>
    internal Lock.Scope EnterExclusive()
    {
        var spin = new SpinWait();
        while (true)
        {
            Lock.Scope scope = Enter();
            if (_inFlight == 0)
            {
                return scope;
            }

            scope.Dispose();
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>Lets threads that wait for the lock have it: a free lock goes to the first that asks, not to one that has to wake up.</summary>
    internal void YieldToWaiters() => YieldTo(ref _waiting);

    /// <summary>Plans requests from one on, up to one that has to wait for others in flight. Returns how many.</summary>
    internal int PlanBatch(ChangeBatch batch, Span<ChangeRequest> requests, int first)
    {
        batch.FirstRequest = first;
        batch.Requests = 0;
        int end = Math.Min(requests.Length, first + ChangeBatch.Capacity);
        if (first == end)
        {
            return 0;
        }

        // Only the pipeline has requests in flight, and this is its thread.
        using (_inFlight == 0 ? EnterExclusive() : Enter())
        {
            Prefetch(requests[first..end]);
            try
            {
                while (first + batch.Requests < end && TryPlan(ref requests[first + batch.Requests], batch))
                {
                    batch.Requests++;
                }
            }
            finally
            {
                _inFlight += batch.Mutations.Length;
            }
        }

        return batch.Requests;
    }

    internal void CommitBatch(ChangeBatch batch, Span<ChangeRequest> requests)
    {
        if (batch.Mutations.IsEmpty)
        {
            batch.Requests = 0;
            return;
        }

        using (Enter())
        {
            _inFlight -= batch.Mutations.Length;
            batch.Commit(requests);
        }
    }

    /// <param name="others">How many threads wait or work, for which the caller should wait.</param>
    private void YieldTo(ref int others)
    {
        if (Volatile.Read(ref others) == 0 || _gate.IsHeldByCurrentThread)
        {
            return;
        }

        long start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref others) > 0 && Stopwatch.GetElapsedTime(start) < MaxYield)
        {
            Thread.Yield();
        }
    }

    private ChangeBatch NewBatch() => new(Tables, Plane, refusal => LastRefusal = refusal);

    private StoreOutcome Apply(in ChangeSpec change, out Entry entry)
    {
        using (EnterExclusive())
        {
            TryPlan(change, _single, source: 0, out StoreOutcome outcome, out entry);
            return _single.Mutations.IsEmpty || TryMake(_single, ref entry) ? outcome : StoreOutcome.Refused;
        }
    }

    /// <summary>Makes a batch of one. False when the data plane refused it.</summary>
    private static bool TryMake(ChangeBatch batch, ref Entry entry)
    {
        batch.Write();
        ref readonly EntryMutation mutation = ref batch.Mutations[0];
        Entry committed = batch.Commit();
        entry = mutation.Refusal is null ? committed : entry;
        return mutation.Refusal is null;
    }

    /// <summary>Decides a request. False when those in flight have to end first.</summary>
    private bool TryPlan(ref ChangeRequest request, ChangeBatch batch)
    {
        ChangeContext context = request.Kept is { } kept
            ? new ChangeContext(ChangeOrigin.Journal, request.Creator, left: kept.Left, reason: request.Reason, kept: kept) { Actor = request.Creator, IsBulk = true }
            : new ChangeContext(ChangeOrigin.Api, request.Creator, request.Metadata, reason: request.Reason) { Actor = request.Creator, IsBulk = request.IsBulk };
        var change = new ChangeSpec(
            request.IsRemoval, request.Policy, request.Cidr, request.Tag, request.Expiration, request.Mode, context, request.IsUnderTag, request.Limits, request.Keeps);
        if (!TryPlan(change, batch, batch.FirstRequest + batch.Requests, out request.Outcome, out request.Entry))
        {
            return false;
        }

        request.Refusal = request.Outcome == StoreOutcome.Refused ? LastRefusal : null;
        return true;
    }

    /// <summary>
    /// Decides a change: its outcome if the data plane takes it, and the mutation that it needs, if any. False when mutations in flight
    /// have to end first. Under the store's lock.
    /// </summary>
    /// <param name="entry">The entry as it is now.</param>
    private bool TryPlan(in ChangeSpec change, ChangeBatch batch, int source, out StoreOutcome outcome, out Entry entry)
    {
        RuleTable table = Tables[change.Policy, change.Cidr.Family];
        int slot = table.Entries.Find(change.Cidr);
        bool isAlone = _inFlight == 0 && batch.Mutations.IsEmpty;
        (outcome, entry) = (default, default);
        if (isAlone)
        {
            _inFlightPolicy = change.Policy;
        }
        else if (change.Policy != _inFlightPolicy || (slot >= 0 && table.Entries[slot].IsBusy))
        {
            return false; // across policies, publication has to follow the order of the requests
        }

        if (change.IsRemoval)
        {
            outcome = PlanRemoval(table, slot, change, batch, source, ref entry);
            return true;
        }

        if (table.Replacement is { IsRunning: true } replacement)
        {
            if (replacement.WillAdd(change.Cidr))
            {
                entry = ReadPending(replacement, change.Cidr, slot);
                outcome = change.Mode switch
                {
                    ConflictMode.Refuse => StoreOutcome.Conflict,
                    ConflictMode.Extend => StoreOutcome.Unchanged,
                    _ => StoreOutcome.OwnedBySet,
                };
                return true;
            }

            if (replacement.WillRemove(slot))
            {
                return TryPlanNew(table, slot, change, batch, source, isAlone, out outcome);
            }
        }

        if (slot >= 0 && Tables.IsExpired(table.Entries[slot]))
        {
            if (!isAlone)
            {
                return false;
            }

            // It expires now, before the timer gets to it, and the addition creates a new entry.
            if (!TryMakeRemoval(table, slot, out _))
            {
                outcome = StoreOutcome.Refused;
                return true;
            }

            slot = -1;
        }

        if (slot < 0)
        {
            return TryPlanNew(table, slot, change, batch, source, isAlone, out outcome);
        }

        outcome = PlanUpdate(table, slot, change, batch, source, out entry);
        return true;
    }

    /// <summary>Plans a new entry; in a slot that a replacement is about to free, the network stays covered.</summary>
    private bool TryPlanNew(RuleTable table, int slot, in ChangeSpec change, ChangeBatch batch, int source, bool isAlone, out StoreOutcome outcome)
    {
        outcome = StoreOutcome.Created;
        if (IsOverQuota(change))
        {
            outcome = StoreOutcome.OverQuota;
            return true;
        }

        if (table.IsFull)
        {
            if (!isAlone)
            {
                return false;
            }

            bool makesSpace = slot < 0 && Tables.IsExpiryDue(table) && TryExpireFirst(table, out _);
            if (!makesSpace)
            {
                outcome = StoreOutcome.Full;
                return true;
            }
        }

        batch.Plan(table, new EntryMutation
        {
            Cidr = change.Cidr,
            Slot = slot,
            IsNew = slot < 0,
            EndsSetEntry = slot >= 0,
            Claims = ClaimEdit.Clear,
            After = Tables.NewImage(table.Policy, change.Tag, change.Expiration, change.Context),
            Event = RuleEventKind.Created,
            Origin = change.Context.Origin,
            Metadata = change.Context.Metadata,
            Actor = ActorOf(change.Context),
            IsBulk = change.Context.IsBulk,
            Source = source,
        });
        return true;
    }

    private StoreOutcome PlanUpdate(RuleTable table, int slot, in ChangeSpec change, ChangeBatch batch, int source, out Entry entry)
    {
        ref EntrySlot held = ref table.Entries[slot];
        entry = Tables.Read(table, slot);
        if (change.Mode == ConflictMode.Refuse)
        {
            return StoreOutcome.Conflict;
        }

        bool extends = change.Mode == ConflictMode.Extend;
        if (entry.IsOfSet)
        {
            return extends ? StoreOutcome.Unchanged : StoreOutcome.OwnedBySet; // a set's entry never expires
        }

        if (change is { Keeps: not EntryFields.None, Mode: ConflictMode.Update })
        {
            ReadOnlySpan<byte> reason = change.Keeps.HasFlag(EntryFields.Reason) ? entry.Reason.Span : change.Context.Reason;
            var context = new ChangeContext(change.Context.Origin, change.Context.Creator, change.Context.Metadata, change.Context.Left, reason)
            { Actor = change.Context.Actor, IsBulk = change.Context.IsBulk };
            var whole = new ChangeSpec(
                false, change.Policy, change.Cidr, change.Keeps.HasFlag(EntryFields.Tag) ? entry.Tag.Span : change.Tag,
                change.Keeps.HasFlag(EntryFields.Expiration) ? entry.Expiration : change.Expiration, change.Mode, context, limits: change.Limits);
            return PlanUpdate(table, slot, whole, batch, source, out entry);
        }

        bool hasSameTag = entry.Tag.Span.SequenceEqual(change.Tag);
        if (change.Mode == ConflictMode.Claim)
        {
            if (hasSameTag || table.Claims.Has(slot, change.Tag, Tables.Now))
            {
                return StoreOutcome.Conflict;
            }

            if (!table.Claims.HasRoom(slot, Tables.Now))
            {
                return StoreOutcome.TooManyClaims;
            }

            if (IsOverQuota(change))
            {
                return StoreOutcome.OverQuota;
            }

            extends = true;
        }

        long deadline = Tables.DeadlineOf(change.Expiration, change.Context.Left);
        if (extends && deadline <= held.Deadline)
        {
            var claim = new Claim(
                change.Tag.ToArray(), change.Context.Creator.ToArray(), change.Context.Reason.ToArray(), change.Context.EntryOrigin, change.Expiration, deadline);
            if (hasSameTag || !table.Claims.Add(slot, claim, Tables.Now))
            {
                return StoreOutcome.Unchanged;
            }

            batch.NotifyOfClaims(table, slot);
            entry = Tables.Read(table, slot);
            return StoreOutcome.ClaimChanged;
        }

        bool isSame = hasSameTag && entry.Expiration == change.Expiration && entry.Reason.Span.SequenceEqual(change.Context.Reason);
        if (!extends && isSame && MayChange(table, slot, entry, change))
        {
            table.Claims.Clear(slot);
            if (change.Context.Left is not null)
            {
                table.Expiry.Schedule(slot, deadline); // the same second by two clocks is not the same moment
            }

            batch.NotifyOfClaims(table, slot);

            return StoreOutcome.Unchanged;
        }

        if (!extends && !MayChange(table, slot, entry, change))
        {
            return StoreOutcome.ForeignTag;
        }

        if (!entry.Creator.Span.SequenceEqual(change.Context.Creator) && IsOverQuota(change))
        {
            return StoreOutcome.OverQuota;
        }

        EntryImage after = Tables.NewImage(table.Policy, change.Tag, change.Expiration, change.Context) with { Creation = held.Creation, Deadline = deadline };
        PlanReplacement(table, slot, after, extends ? hasSameTag ? ClaimEdit.Keep : ClaimEdit.Exchange : ClaimEdit.Clear, change.Context, batch, source);
        return StoreOutcome.Updated;
    }

    private StoreOutcome PlanRemoval(RuleTable table, int slot, in ChangeSpec change, ChangeBatch batch, int source, ref Entry entry)
    {
        if (table.Replacement is { IsRunning: true } replacement)
        {
            if (replacement.WillAdd(change.Cidr))
            {
                entry = ReadPending(replacement, change.Cidr, slot);
                return change.IsUnderTag ? StoreOutcome.Conflict : StoreOutcome.OwnedBySet;
            }

            if (replacement.WillRemove(slot))
            {
                return StoreOutcome.Absent;
            }
        }

        if (slot < 0 || Tables.IsExpired(table.Entries[slot]))
        {
            return StoreOutcome.Absent;
        }

        entry = Tables.Read(table, slot);
        if (entry.IsOfSet)
        {
            return change.IsUnderTag ? StoreOutcome.Conflict : StoreOutcome.OwnedBySet;
        }

        if (!MayChange(table, slot, entry, change))
        {
            return StoreOutcome.ForeignTag;
        }

        if (change.IsUnderTag)
        {
            if (!entry.Tag.Span.SequenceEqual(change.Tag))
            {
                if (!table.Claims.Remove(slot, change.Tag))
                {
                    return StoreOutcome.Conflict;
                }

                batch.NotifyOfClaims(table, slot);
                entry = Tables.Read(table, slot);
                return StoreOutcome.ClaimChanged;
            }

            if (table.Claims.TryFindLongest(slot, _time.GetTimestamp(), out Claim next))
            {
                var after = new EntryImage(
                    Tables.Tags(table.Policy).Acquire(next.Tag), Tables.Creators.Acquire(next.Creator), Tables.Reasons.Acquire(next.Reason), next.Origin, entry.Creation, next.Expiration, next.Deadline);
                PlanReplacement(table, slot, after, ClaimEdit.Promote, change.Context, batch, source);
                return StoreOutcome.Updated;
            }
        }

        batch.Plan(table, Removal(table, slot, RuleEventKind.Deleted, change.Context.Origin) with
        {
            Metadata = change.Context.Metadata,
            Actor = ActorOf(change.Context),
            IsBulk = change.Context.IsBulk,
            Source = source,
        });
        return StoreOutcome.Removed;
    }

    private bool IsOverQuota(in ChangeSpec change) =>
        change.Limits is { MaxEntries: > 0 and var max } && Tables.Creators.Find(change.Context.Creator) is > 0 and var creator && Tables.Creators.Holders(creator) >= max;

    /// <summary>Whether the writer may end what the change ends: one claim, or the entry with all its claims.</summary>
    private static bool MayChange(RuleTable table, int slot, in Entry entry, in ChangeSpec change)
    {
        if (change.Limits is not { } limits || change.IsUnderTag)
        {
            return change.Limits is null || change.Limits.MayChange(change.Tag);
        }

        bool mayChange = limits.MayChange(entry.Tag.Span);
        foreach (ref readonly Claim claim in table.Claims.Of(slot))
        {
            mayChange &= limits.MayChange(claim.Tag);
        }

        return mayChange;
    }

    /// <summary>The actor of a change, for its listeners. Peers make many changes in a row, so their names are seldom copied.</summary>
    private byte[] ActorOf(in ChangeContext context)
    {
        if (context.Actor is { } actor)
        {
            return actor;
        }

        if (!context.Creator.SequenceEqual(_lastActor))
        {
            _lastActor = context.Creator.ToArray();
        }

        return _lastActor;
    }

    private void PlanReplacement(
        RuleTable table, int slot, in EntryImage after, ClaimEdit claims, in ChangeContext context, ChangeBatch batch, int source) =>
        batch.Plan(table, new EntryMutation
        {
            Cidr = table.Entries[slot].Cidr,
            Slot = slot,
            After = after,
            Claims = claims,
            Event = RuleEventKind.Updated,
            Origin = context.Origin,
            Metadata = context.Metadata,
            Actor = ActorOf(context),
            IsBulk = context.IsBulk,
            Source = source,
        });

    private static EntryMutation Removal(RuleTable table, int slot, RuleEventKind kind, ChangeOrigin origin) => new()
    {
        Kind = MutationKind.Remove,
        Cidr = table.Entries[slot].Cidr,
        Slot = slot,
        Event = kind,
        Origin = origin,
    };

    /// <summary>An entry of a set that a running replacement is about to add.</summary>
    private Entry ReadPending(TableReplacement replacement, Cidr cidr, int slot)
    {
        if (slot >= 0 && replacement.Table.Entries[slot].Origin == ChangeOrigin.Set)
        {
            return Tables.Read(replacement.Table, slot);
        }

        byte[] tag = replacement.TagOf(cidr);
        return new Entry(cidr, (ulong)_time.GetUtcNow().ToUnixTimeSeconds(), 0, tag, tag, ChangeOrigin.Set, slot) { Reason = replacement.ReasonOf(cidr) };
    }

    /// <summary>Removes the next expired entry. False when there is none.</summary>
    private bool TryExpireNext(RuleTable table, out Entry? expired)
    {
        expired = null;
        using (EnterExclusive())
        {
            if (!Tables.IsExpiryDue(table))
            {
                return false;
            }

            expired = TryExpireFirst(table, out Entry entry) ? entry : null;
            return true;
        }
    }

    /// <summary>Removes the entry that expires first. A refusal defers it, so that it blocks no other.</summary>
    private bool TryExpireFirst(RuleTable table, out Entry entry)
    {
        entry = default;
        int slot = table.Expiry.First;
        if (table.Replacement is { IsRunning: true } replacement && replacement.WillAdd(table.Entries[slot].Cidr))
        {
            // The network is about to be a set's and stays covered until then; if the replacement fails, the entry still expires.
            table.Expiry.Schedule(slot, _time.GetTimestamp() + _time.TimestampFrequency);
            return false;
        }

        if (TryMakeRemoval(table, slot, out entry))
        {
            return true;
        }

        table.DeferExpiry(slot);
        return false;
    }

    private bool TryMakeRemoval(RuleTable table, int slot, out Entry entry)
    {
        entry = default;
        _expiry.Plan(table, Removal(table, slot, RuleEventKind.Expired, ChangeOrigin.Expiry));
        return TryMake(_expiry, ref entry);
    }

    private void Prefetch(ReadOnlySpan<ChangeRequest> requests)
    {
        if (requests.Length == 1)
        {
            return;
        }

        foreach (ref readonly ChangeRequest request in requests)
        {
            Plane.Prefetch(request.Policy, request.Cidr);
        }

        for (int round = 0; round < 2; round++)
        {
            foreach (ref readonly ChangeRequest request in requests)
            {
                _prefetchSink += Tables[request.Policy, request.Cidr.Family].Entries.Prefetch(request.Cidr, isSecondRound: round > 0);
            }
        }
    }
}

/// <summary>How much a store holds. Units: entries per address family, and tags per policy.</summary>
/// <param name="MaxDropEntries">1.x: 262,144.</param>
/// <param name="MaxIgnoreEntries">1.x: 65,536.</param>
/// <param name="MaxTags">Tags that have a counter; further ones share one.</param>
public sealed record StoreLimits(int MaxDropEntries = 262_144, int MaxIgnoreEntries = 65_536, int MaxTags = 4_096)
{
    public static readonly StoreLimits Default = new();

    public int Entries(Policy policy) => policy == Policy.Drop ? MaxDropEntries : MaxIgnoreEntries;

    /// <summary>Counters per policy: untagged, one a tag, one for the tags beyond the limit.</summary>
    public int Counters => MaxTags + 2;
}
