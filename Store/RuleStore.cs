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
    private readonly Category[] _categories;
    private readonly NameTable[] _tags;
    private readonly TagTotals[] _tagTotals;
    private readonly NameTable _creators = new(pinned: 0);
    private IRuleFeed[] _feeds = [];

    /// <param name="time">Wall clock for creation and expiry in answers, monotonic clock for when an entry leaves.</param>
    public RuleStore(IDataPlane plane, StoreLimits limits, TimeProvider time)
    {
        _plane = plane;
        _limits = limits;
        _time = time;
        BetweenSlices = GiveWay;
        Guard = new LockoutGuard(this, time);
        _writing = new Errand(() => Write(_present.Planned));
        _tagTotals = [new TagTotals(limits.MaxTags + 1), new TagTotals(limits.MaxTags + 1)];
        _tags = [NewTags(Policy.Drop), NewTags(Policy.Ignore)];
        _categories = [
            new Category(Policy.Drop, IpFamily.V4, limits.MaxDropEntries),
            new Category(Policy.Drop, IpFamily.V6, limits.MaxDropEntries),
            new Category(Policy.Ignore, IpFamily.V4, limits.MaxIgnoreEntries),
            new Category(Policy.Ignore, IpFamily.V6, limits.MaxIgnoreEntries),
        ];
    }

    public StoreLimits Limits => _limits;

    /// <summary>Asked by every way in before a change; the store itself makes whatever change it is given.</summary>
    public LockoutGuard Guard { get; }

    /// <summary>Why the data plane last refused a change; null if it never did.</summary>
    public PlaneRefusal? LastRefusal { get; private set; }

    /// <summary>Adds a listener. Not while changes are being made.</summary>
    public void Subscribe(IRuleFeed feed) => _feeds = [.. _feeds, feed];

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
            return AddAlone(CategoryOf(policy, cidr.Family), cidr, tag, expiration, mode, context, out entry);
        }
    }

    /// <summary>Removes an entry.</summary>
    /// <param name="entry">The entry as it was.</param>
    public StoreOutcome Remove(Policy policy, Cidr cidr, in ChangeContext context, out Entry entry)
    {
        using (EnterAlone())
        {
            return RemoveAlone(CategoryOf(policy, cidr.Family), cidr.Network, context.Origin, context.Metadata, out entry);
        }
    }

    /// <summary>Removes what has expired. Called by a timer at least every second.</summary>
    /// <param name="gone">Is told of each entry that went.</param>
    /// <returns>How many entries went.</returns>
    public int Expire(Action<Policy, Entry>? gone = null)
    {
        int count = 0;
        foreach (Category category in _categories)
        {
            using (EnterAlone())
            {
                category.RetryStuck();
            }

            while (true)
            {
                // One at a time, so that a burst of expiries keeps no request waiting.
                Entry entry;
                bool isGone;
                using (EnterAlone())
                {
                    if (!IsDue(category))
                    {
                        break;
                    }

                    isGone = TryExpireFirst(category, out entry);
                }

                if (isGone)
                {
                    count++;
                    gone?.Invoke(category.Policy, entry);
                }

                GiveWay();
            }
        }

        return count;
    }

    private StoreOutcome AddAlone(
        Category category, Cidr cidr, ReadOnlySpan<byte> tag, ulong expiration, ConflictMode mode, in ChangeContext context, out Entry entry)
    {
        int slot = category.Entries.Find(cidr);
        if (category.Swap is { } swap && TryAddBehind(swap, cidr, slot, tag, expiration, mode, context, out StoreOutcome outcome, out entry))
        {
            return outcome;
        }

        if (slot >= 0 && IsOver(ref category.Entries[slot]))
        {
            // Its time has come and the timer has not: it goes now, and the addition is a new entry.
            if (!TryRemoveSlot(category, slot, RuleEventKind.Expired, ChangeOrigin.Expiry, null, out entry))
            {
                return StoreOutcome.Refused;
            }

            slot = -1;
        }

        return slot < 0
            ? Create(category, cidr, tag, expiration, context, out entry)
            : Renew(category, slot, tag, expiration, mode, context, out entry);
    }

    private StoreOutcome RemoveAlone(Category category, Cidr cidr, ChangeOrigin origin, byte[]? metadata, out Entry entry)
    {
        int slot = FindLive(category, cidr);
        if (category.Swap is { } swap && TryRemoveBehind(swap, cidr, slot, out StoreOutcome outcome, out entry))
        {
            return outcome;
        }

        if (slot < 0)
        {
            entry = default;
            return StoreOutcome.Absent;
        }

        entry = Read(category, slot);
        if (entry.IsOfSet)
        {
            return StoreOutcome.OwnedBySet;
        }

        return TryRemoveSlot(category, slot, RuleEventKind.Deleted, origin, metadata, out entry)
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

    private bool IsDue(Category category) => category.Expiry.NextDeadline <= _time.GetTimestamp();

    /// <summary>A refusal sets the entry aside, so that it keeps no other from going.</summary>
    private bool TryExpireFirst(Category category, out Entry entry)
    {
        entry = default;
        int slot = category.Expiry.First;
        if (category.Swap is { } swap && swap.Brings(category.Entries[slot].Cidr))
        {
            // About to be a set's, and covered until then; should the swap be taken back, its time has come all the same.
            category.Expiry.Schedule(slot, _time.GetTimestamp() + _time.TimestampFrequency);
            return false;
        }

        bool gone = TryRemoveSlot(category, slot, RuleEventKind.Expired, ChangeOrigin.Expiry, null, out entry);
        if (!gone)
        {
            category.SetAside(slot);
        }

        return gone;
    }

    private StoreOutcome Create(
        Category category, Cidr cidr, ReadOnlySpan<byte> tag, ulong expiration, in ChangeContext context, out Entry entry)
    {
        entry = default;
        if (category.IsFull && !(IsDue(category) && TryExpireFirst(category, out _)))
        {
            return StoreOutcome.Full;
        }

        NameTable tags = _tags[(int)category.Policy];
        int tagId = tags.Acquire(tag);
        int slot = category.Entries.NextSlot;
        if (!TryApply(new RuleChange(RuleChangeKind.Set, category.Policy, cidr, CounterOf(tagId), slot)))
        {
            tags.Release(tagId);
            return StoreOutcome.Refused;
        }

        Insert(category, cidr, tagId, expiration, context);
        category.Swap?.OnAdded();
        entry = Read(category, slot);
        Publish(new RuleEvent(RuleEventKind.Created, category.Policy, entry, context.Origin, context.Metadata));
        return StoreOutcome.Created;
    }

    private StoreOutcome Renew(
        Category category, int slot, ReadOnlySpan<byte> tag, ulong expiration, ConflictMode mode, in ChangeContext context, out Entry entry)
    {
        entry = Read(category, slot);
        if (mode == ConflictMode.Refuse)
        {
            return StoreOutcome.Conflict;
        }

        if (mode == ConflictMode.Extend)
        {
            return Extend(category, slot, tag, expiration, context, ref entry);
        }

        if (entry.IsOfSet)
        {
            return StoreOutcome.OwnedBySet;
        }

        category.Claims.Clear(slot); // the new content is all there is
        bool sameTag = entry.Tag.Span.SequenceEqual(tag);
        if (sameTag && entry.Expiration == expiration)
        {
            if (context.Left is not null)
            {
                // The same second by two clocks is not the same moment.
                category.Expiry.Schedule(slot, DeadlineOf(expiration, context.Left));
            }

            return StoreOutcome.Unchanged;
        }

        NameTable tags = _tags[(int)category.Policy];
        int tagId = tags.Acquire(tag);
        if (!sameTag && !TryApply(new RuleChange(RuleChangeKind.Set, category.Policy, entry.Cidr, CounterOf(tagId), slot)))
        {
            tags.Release(tagId);
            return StoreOutcome.Refused;
        }

        Rewrite(category, slot, tagId, expiration, context);
        entry = Read(category, slot);
        Publish(new RuleEvent(RuleEventKind.Updated, category.Policy, entry, context.Origin, context.Metadata));
        return StoreOutcome.Updated;
    }

    /// <summary>Gives an entry that is there another content; the data plane has it already, and <paramref name="tagId"/> is acquired.</summary>
    private void Rewrite(Category category, int slot, int tagId, ulong expiration, in ChangeContext context)
    {
        ref EntryTable.Slot held = ref category.Entries[slot];
        _tags[(int)category.Policy].Release(held.Tag);
        held.Tag = tagId;
        _creators.Release(held.Creator);
        held.Creator = _creators.Acquire(context.Creator);
        held.Origin = context.Origin;
        held.Expiration = expiration;
        category.Expiry.Schedule(slot, DeadlineOf(expiration, context.Left));
    }

    /// <summary>Takes an entry into the table; the data plane has it already, and <paramref name="tagId"/> is acquired.</summary>
    private int Insert(Category category, Cidr cidr, int tagId, ulong expiration, in ChangeContext context)
    {
        int slot = category.Entries.Insert(cidr);
        ref EntryTable.Slot held = ref category.Entries[slot];
        held.Tag = tagId;
        held.Creator = _creators.Acquire(context.Creator);
        held.Origin = context.Origin;
        held.Creation = (ulong)_time.GetUtcNow().ToUnixTimeSeconds();
        held.Expiration = expiration;
        category.PerLength[cidr.Length]++;
        category.Expiry.Schedule(slot, DeadlineOf(expiration, context.Left));
        return slot;
    }

    private bool TryRemoveSlot(
        Category category, int slot, RuleEventKind kind, ChangeOrigin origin, byte[]? metadata, out Entry entry)
    {
        entry = Read(category, slot);
        if (!TryApply(new RuleChange(RuleChangeKind.Remove, category.Policy, entry.Cidr, CounterOf(category.Entries[slot].Tag), slot)))
        {
            return false;
        }

        Forget(category, slot);
        category.Swap?.OnRemoved(entry.Cidr);
        Publish(new RuleEvent(kind, category.Policy, entry, origin, metadata));
        return true;
    }

    /// <summary>Takes an entry out of the table; the data plane has let it go already.</summary>
    private void Forget(Category category, int slot)
    {
        ref EntryTable.Slot held = ref category.Entries[slot];
        category.PerLength[held.Length]--;
        category.Claims.Clear(slot);
        _tags[(int)category.Policy].Release(held.Tag);
        _creators.Release(held.Creator);
        category.Expiry.Unschedule(slot);
        category.Entries.Remove(slot);
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
        foreach (IRuleFeed feed in _feeds)
        {
            feed.OnChange(change);
        }
    }

    private Category CategoryOf(Policy policy, IpFamily family) => _categories[((int)policy * 2) + (int)family];

    private int CounterOf(int tagId) => Math.Min(tagId, _limits.MaxTags + 1);

    private int FindLive(Category category, Cidr cidr)
    {
        int slot = category.Entries.Find(cidr);
        return slot >= 0 && !IsOver(ref category.Entries[slot]) ? slot : -1;
    }

    private bool IsOver(ref EntryTable.Slot slot) => slot.Deadline != long.MaxValue && slot.Deadline <= _time.GetTimestamp();

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

    private Entry Read(Category category, int slot) => Read(category, category.Entries[slot], slot);

    private Entry Read(Category category, in EntryTable.Slot held, int slot) => new(
        held.Cidr, held.Creation, held.Expiration, _tags[(int)category.Policy].Utf8(held.Tag), _creators.Utf8(held.Creator), held.Origin, slot);
}
