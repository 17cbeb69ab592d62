namespace Couic.Store;

/// <summary>
/// The rules of both policies. Decides every change, has the data plane apply it, and only then holds it and tells the
/// feed; so what the kernel enforces is what the store holds. All members are thread-safe.
/// </summary>
public sealed partial class RuleStore
{
    private readonly Lock _gate = new();
    private int _waiting;
    private readonly IDataPlane _plane;
    private readonly StoreLimits _limits;
    private readonly TimeProvider _time;
    private readonly RuleTable[] _tables;
    private readonly NameTable[] _tags;
    private readonly TagTotals[] _tagTotals;
    private readonly NameTable _creators = new(pinned: 0);
    private IChangeListener[] _feeds = [];

    /// <param name="time">Wall clock for creation and expiry in answers, monotonic clock for when an entry leaves.</param>
    public RuleStore(IDataPlane plane, StoreLimits limits, TimeProvider time)
    {
        _plane = plane;
        _limits = limits;
        _time = time;
        BetweenSlices = GiveWay;
        Guard = new LockoutGuard(this, time);
        _writing = new StealableTask(() => Write(_present.Planned));
        _tagTotals = [new TagTotals(limits.MaxTags + 1), new TagTotals(limits.MaxTags + 1)];
        _tags = [NewTags(Policy.Drop), NewTags(Policy.Ignore)];
        _tables = [
            new RuleTable(Policy.Drop, IpFamily.V4, limits.MaxDropEntries),
            new RuleTable(Policy.Drop, IpFamily.V6, limits.MaxDropEntries),
            new RuleTable(Policy.Ignore, IpFamily.V4, limits.MaxIgnoreEntries),
            new RuleTable(Policy.Ignore, IpFamily.V6, limits.MaxIgnoreEntries),
        ];
    }

    public StoreLimits Limits => _limits;

    /// <summary>Asked by every way in before a change; the store itself makes whatever change it is given.</summary>
    public LockoutGuard Guard { get; }

    /// <summary>Why the data plane last refused a change; null if it never did.</summary>
    public PlaneRefusal? LastRefusal { get; private set; }

    /// <summary>Adds a listener. Not while changes are being made.</summary>
    public void Subscribe(IChangeListener feed) => _feeds = [.. _feeds, feed];

    /// <summary>
    /// Keeps every other change and query out until the scope is disposed; the caller itself may go on calling the store.
    /// So a decision about an entry and the change that follows from it are one step. To be held for microseconds.
    /// </summary>
    public Lock.Scope Hold() => EnterAlone();

    /// <summary>Adds an entry, or with <see cref="ConflictMode.Update"/> replaces tag and expiry of the one that is there.</summary>
    /// <param name="cidr">Host bits are cleared.</param>
    /// <param name="tag">Checked by the caller; empty for none.</param>
    /// <param name="expiration">Seconds since 1970, 0 for never; checked by the caller.</param>
    /// <param name="entry">The entry as it is afterwards; also on a conflict.</param>
    public StoreOutcome Add(
        Policy policy, Cidr cidr, ReadOnlySpan<byte> tag, ulong expiration, ConflictMode mode, in ChangeContext context, out Entry entry)
    {
        cidr = cidr.Network;
        using (EnterAlone())
        {
            return AddAlone(TableOf(policy, cidr.Family), cidr, tag, expiration, mode, context, out entry);
        }
    }

    /// <summary>Removes an entry.</summary>
    /// <param name="entry">The entry as it was.</param>
    public StoreOutcome Remove(Policy policy, Cidr cidr, in ChangeContext context, out Entry entry)
    {
        using (EnterAlone())
        {
            return RemoveAlone(TableOf(policy, cidr.Family), cidr.Network, context.Origin, context.Metadata, out entry);
        }
    }

    /// <summary>Removes what has expired. Called by a timer at least every second.</summary>
    /// <param name="gone">Is told of each entry that went.</param>
    /// <returns>How many entries went.</returns>
    public int Expire(Action<Policy, Entry>? gone = null)
    {
        int count = 0;
        foreach (RuleTable table in _tables)
        {
            using (EnterAlone())
            {
                table.RetryDeferred();
            }

            while (true)
            {
                // One at a time, so that a burst of expiries keeps no request waiting.
                Entry entry;
                bool isGone;
                using (EnterAlone())
                {
                    if (!IsDue(table))
                    {
                        break;
                    }

                    isGone = TryExpireFirst(table, out entry);
                }

                if (isGone)
                {
                    count++;
                    gone?.Invoke(table.Policy, entry);
                }

                GiveWay();
            }
        }

        return count;
    }

    private StoreOutcome AddAlone(
        RuleTable table, Cidr cidr, ReadOnlySpan<byte> tag, ulong expiration, ConflictMode mode, in ChangeContext context, out Entry entry)
    {
        int slot = table.Entries.Find(cidr);
        if (table.Swap is { } swap && TryAddBehind(swap, cidr, slot, tag, expiration, mode, context, out StoreOutcome outcome, out entry))
        {
            return outcome;
        }

        if (slot >= 0 && IsOver(ref table.Entries[slot]))
        {
            // Its time has come and the timer has not: it goes now, and the addition is a new entry.
            if (!TryRemoveSlot(table, slot, RuleEventKind.Expired, ChangeOrigin.Expiry, null, out entry))
            {
                return StoreOutcome.Refused;
            }

            slot = -1;
        }

        return slot < 0
            ? Create(table, cidr, tag, expiration, context, out entry)
            : Renew(table, slot, tag, expiration, mode, context, out entry);
    }

    private StoreOutcome RemoveAlone(RuleTable table, Cidr cidr, ChangeOrigin origin, byte[]? metadata, out Entry entry)
    {
        int slot = FindLive(table, cidr);
        if (table.Swap is { } swap && TryRemoveBehind(swap, cidr, slot, out StoreOutcome outcome, out entry))
        {
            return outcome;
        }

        if (slot < 0)
        {
            entry = default;
            return StoreOutcome.Absent;
        }

        entry = Read(table, slot);
        if (entry.IsOfSet)
        {
            return StoreOutcome.OwnedBySet;
        }

        return TryRemoveSlot(table, slot, RuleEventKind.Deleted, origin, metadata, out entry)
            ? StoreOutcome.Removed
            : StoreOutcome.Refused;
    }

    /// <summary>The store's lock. Who waits for it is counted, so that a swap of sets can let them in.</summary>
    private Lock.Scope Enter()
    {
        Interlocked.Increment(ref _waiting);
        Lock.Scope scope = _gate.EnterScope();
        Interlocked.Decrement(ref _waiting);
        return scope;
    }

    private NameTable NewTags(Policy policy) => new(
        _limits.MaxTags, _time, evicted: counter => _tagTotals[(int)policy].Evict(counter, _plane.ReadTag(policy, counter)));

    private bool IsDue(RuleTable table) => table.Expiry.NextDeadline <= _time.GetTimestamp();

    /// <summary>A refusal sets the entry aside, so that it keeps no other from going.</summary>
    private bool TryExpireFirst(RuleTable table, out Entry entry)
    {
        entry = default;
        int slot = table.Expiry.First;
        if (table.Swap is { } swap && swap.Brings(table.Entries[slot].Cidr))
        {
            // About to be a set's, and covered until then; should the swap be taken back, its time has come all the same.
            table.Expiry.Schedule(slot, _time.GetTimestamp() + _time.TimestampFrequency);
            return false;
        }

        bool gone = TryRemoveSlot(table, slot, RuleEventKind.Expired, ChangeOrigin.Expiry, null, out entry);
        if (!gone)
        {
            table.DeferExpiry(slot);
        }

        return gone;
    }

    private StoreOutcome Create(
        RuleTable table, Cidr cidr, ReadOnlySpan<byte> tag, ulong expiration, in ChangeContext context, out Entry entry)
    {
        entry = default;
        if (table.IsFull && !(IsDue(table) && TryExpireFirst(table, out _)))
        {
            return StoreOutcome.Full;
        }

        NameTable tags = _tags[(int)table.Policy];
        int tagId = tags.Acquire(tag);
        int slot = Insert(table, cidr, tagId, expiration, context);
        if (!TryApply(new RuleChange(RuleChangeKind.Set, table.Policy, cidr, CounterOf(tagId), slot)))
        {
            Forget(table, slot);
            return StoreOutcome.Refused;
        }

        table.Swap?.OnAdded();
        entry = Read(table, slot);
        Publish(new RuleEvent(RuleEventKind.Created, table.Policy, entry, context.Origin, context.Metadata));
        return StoreOutcome.Created;
    }

    private StoreOutcome Renew(
        RuleTable table, int slot, ReadOnlySpan<byte> tag, ulong expiration, ConflictMode mode, in ChangeContext context, out Entry entry)
    {
        entry = Read(table, slot);
        if (mode == ConflictMode.Refuse)
        {
            return StoreOutcome.Conflict;
        }

        if (mode == ConflictMode.Extend)
        {
            return Extend(table, slot, tag, expiration, context, ref entry);
        }

        if (entry.IsOfSet)
        {
            return StoreOutcome.OwnedBySet;
        }

        table.Claims.Clear(slot); // the new content is all there is
        bool sameTag = entry.Tag.Span.SequenceEqual(tag);
        if (sameTag && entry.Expiration == expiration)
        {
            if (context.Left is not null)
            {
                // The same second by two clocks is not the same moment.
                table.Expiry.Schedule(slot, DeadlineOf(expiration, context.Left));
            }

            return StoreOutcome.Unchanged;
        }

        NameTable tags = _tags[(int)table.Policy];
        int tagId = tags.Acquire(tag);
        if (!sameTag && !TryApply(new RuleChange(RuleChangeKind.Set, table.Policy, entry.Cidr, CounterOf(tagId), slot)))
        {
            tags.Release(tagId);
            return StoreOutcome.Refused;
        }

        Rewrite(table, slot, tagId, expiration, context);
        entry = Read(table, slot);
        Publish(new RuleEvent(RuleEventKind.Updated, table.Policy, entry, context.Origin, context.Metadata));
        return StoreOutcome.Updated;
    }

    /// <summary>Gives an entry that is there another content; the data plane has it already, and <paramref name="tagId"/> is acquired.</summary>
    private void Rewrite(RuleTable table, int slot, int tagId, ulong expiration, in ChangeContext context)
    {
        ref EntrySlot held = ref table.Entries[slot];
        _tags[(int)table.Policy].Release(held.Tag);
        held.Tag = tagId;
        _creators.Release(held.Creator);
        held.Creator = _creators.Acquire(context.Creator);
        held.Origin = context.Origin;
        held.Expiration = expiration;
        table.Expiry.Schedule(slot, DeadlineOf(expiration, context.Left));
    }

    /// <summary>Takes an entry into the table; the data plane has it already, and <paramref name="tagId"/> is acquired.</summary>
    private int Insert(RuleTable table, Cidr cidr, int tagId, ulong expiration, in ChangeContext context)
    {
        int slot = table.Insert(cidr);
        ref EntrySlot held = ref table.Entries[slot];
        held.Tag = tagId;
        held.Creator = _creators.Acquire(context.Creator);
        held.Origin = context.Origin;
        held.Creation = (ulong)_time.GetUtcNow().ToUnixTimeSeconds();
        held.Expiration = expiration;
        table.Expiry.Schedule(slot, DeadlineOf(expiration, context.Left));
        return slot;
    }

    private bool TryRemoveSlot(
        RuleTable table, int slot, RuleEventKind kind, ChangeOrigin origin, byte[]? metadata, out Entry entry)
    {
        entry = Read(table, slot);
        if (!TryApply(new RuleChange(RuleChangeKind.Remove, table.Policy, entry.Cidr, CounterOf(table.Entries[slot].Tag), slot)))
        {
            return false;
        }

        Forget(table, slot);
        table.Swap?.OnRemoved(entry.Cidr);
        Publish(new RuleEvent(kind, table.Policy, entry, origin, metadata));
        return true;
    }

    /// <summary>Takes an entry out of the table; the data plane has let it go already.</summary>
    private void Forget(RuleTable table, int slot)
    {
        ref EntrySlot held = ref table.Entries[slot];
        _tags[(int)table.Policy].Release(held.Tag);
        _creators.Release(held.Creator);
        table.Remove(slot);
    }

    private bool TryApply(in RuleChange change)
    {
        if (_plane.Apply(new ReadOnlySpan<RuleChange>(in change), out PlaneRefusal? refusal) == 1)
        {
            return true;
        }

        LastRefusal = refusal;
        return false;
    }

    private void Publish(in RuleEvent change)
    {
        foreach (IChangeListener feed in _feeds)
        {
            feed.OnChange(change);
        }
    }

    private RuleTable TableOf(Policy policy, IpFamily family) => _tables[((int)policy * 2) + (int)family];

    private int CounterOf(int tagId) => Math.Min(tagId, _limits.MaxTags + 1);

    private int FindLive(RuleTable table, Cidr cidr)
    {
        int slot = table.Entries.Find(cidr);
        return slot >= 0 && !IsOver(ref table.Entries[slot]) ? slot : -1;
    }

    private bool IsOver(ref EntrySlot slot) => slot.Deadline != long.MaxValue && slot.Deadline <= _time.GetTimestamp();

    /// <summary>
    /// The monotonic timestamp of a wall-clock second. What is left is taken once, here, so that a step of the clock
    /// afterwards neither frees nor keeps an entry.
    /// </summary>
    private long DeadlineOf(ulong expiration, TimeSpan? timeLeft)
    {
        if (expiration == 0)
        {
            return long.MaxValue;
        }

        // Beyond what a DateTimeOffset can say (the year 9999) is never, for all practical purposes.
        const ulong LastSecond = 253_402_300_799;
        if (expiration > LastSecond)
        {
            return long.MaxValue;
        }

        TimeSpan left = timeLeft ?? (DateTimeOffset.FromUnixTimeSeconds((long)expiration) - _time.GetUtcNow());
        double ticks = Math.Max(0, left.TotalSeconds) * _time.TimestampFrequency;
        long now = _time.GetTimestamp();
        return ticks < long.MaxValue - now ? now + (long)ticks : long.MaxValue; // 63 bits of nanoseconds are 292 years
    }

    private Entry Read(RuleTable table, int slot) => Read(table, table.Entries[slot], slot);

    private Entry Read(RuleTable table, in EntrySlot held, int slot) => new(
        held.Cidr, held.Creation, held.Expiration, _tags[(int)table.Policy][held.Tag], _creators[held.Creator], held.Origin, slot);
}
