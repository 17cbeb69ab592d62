namespace Couic.Store;

/// <summary>The four tables and the names that their entries share. The store's lock guards it.</summary>
internal sealed class RuleTables
{
    private readonly StoreLimits _limits;
    private readonly TimeProvider _time;
    private readonly NameTable[] _tags;

    /// <param name="plane">Read when a counter passes from one tag to another.</param>
    public RuleTables(IDataPlane plane, StoreLimits limits, TimeProvider time)
    {
        _limits = limits;
        _time = time;
        Totals = [new TagTotals(limits.MaxTags + 1), new TagTotals(limits.MaxTags + 1)];
        _tags = [NewTags(plane, Policy.Drop), NewTags(plane, Policy.Ignore)];
        All = [
            new RuleTable(Policy.Drop, IpFamily.V4, limits.MaxDropEntries, Reasons),
            new RuleTable(Policy.Drop, IpFamily.V6, limits.MaxDropEntries, Reasons),
            new RuleTable(Policy.Ignore, IpFamily.V4, limits.MaxIgnoreEntries, Reasons),
            new RuleTable(Policy.Ignore, IpFamily.V6, limits.MaxIgnoreEntries, Reasons),
        ];
    }

    public RuleTable[] All { get; }

    public NameTable Creators { get; } = new(pinned: 0);

    public ReasonTexts Reasons { get; } = new();

    /// <summary>By policy.</summary>
    public TagTotals[] Totals { get; }

    /// <summary>Monotonic timestamp.</summary>
    public long Now => _time.GetTimestamp();

    public RuleTable this[Policy policy, IpFamily family] => All[((int)policy * 2) + (int)family];

    public NameTable Tags(Policy policy) => _tags[(int)policy];

    /// <summary>Index of a tag's counter; tags beyond the limit share the last one.</summary>
    public int CounterOf(int tag) => Math.Min(tag, _limits.MaxTags + 1);

    /// <summary>The slot of a network whose entry has not expired, or -1.</summary>
    public int FindLive(RuleTable table, in Cidr cidr)
    {
        int slot = table.Entries.Find(cidr);
        return slot >= 0 && !IsExpired(table.Entries[slot]) ? slot : -1;
    }

    public bool IsExpired(in EntrySlot held) => held.Deadline != long.MaxValue && held.Deadline <= _time.GetTimestamp();

    /// <summary>Whether the timer has an entry to remove.</summary>
    public bool IsExpiryDue(RuleTable table) => table.Expiry.NextDeadline <= _time.GetTimestamp();

    public Entry Read(RuleTable table, int slot)
    {
        ref readonly EntrySlot held = ref table.Entries[slot];
        var entry = new Entry(held.Cidr, held.Creation, held.Expiration, Tags(table.Policy)[held.Tag], Creators[held.Creator], held.Origin, slot);
        entry = held.HasReason ? entry with { Reason = table.Reasons.Text(slot) } : entry;
        return table.Claims.Has(slot) ? entry with { Claims = ClaimsOf(table, slot) } : entry;
    }

    /// <summary>All claims in force on an entry, the longest first; null when there is only the one that it shows.</summary>
    public Claim[]? ClaimsOf(RuleTable table, int slot)
    {
        ref readonly EntrySlot held = ref table.Entries[slot];
        long now = _time.GetTimestamp();
        var claims = new List<Claim>();
        foreach (Claim claim in held.Origin == ChangeOrigin.Set ? [] : table.Claims.Of(slot))
        {
            if (claim.Deadline > now)
            {
                claims.Add(claim);
            }
        }

        if (claims.Count == 0)
        {
            return null;
        }

        claims.Sort(static (a, b) => b.Deadline.CompareTo(a.Deadline));
        byte[] reason = held.HasReason ? table.Reasons.Text(slot) : [];
        return [new Claim(Tags(table.Policy)[held.Tag], Creators[held.Creator], reason, held.Origin, held.Expiration, held.Deadline), .. claims];
    }

    /// <summary>An image of an entry that is created now. The caller owns its hold on the names.</summary>
    public EntryImage NewImage(Policy policy, ReadOnlySpan<byte> tag, ulong expiration, in ChangeContext context) => new(
        Tags(policy).Acquire(tag), Creators.Acquire(context.Creator), Reasons.Acquire(context.Reason), context.EntryOrigin,
        context.Kept?.Creation ?? (ulong)_time.GetUtcNow().ToUnixTimeSeconds(), expiration, DeadlineOf(expiration, context.Left));

    public static EntryImage ImageOf(RuleTable table, int slot)
    {
        ref readonly EntrySlot held = ref table.Entries[slot];
        int reason = held.HasReason ? table.Reasons[slot] : 0;
        return new(held.Tag, held.Creator, reason, held.Origin, held.Creation, held.Expiration, held.Deadline);
    }

    public void Hold(Policy policy, in EntryImage image)
    {
        Tags(policy).Hold(image.Tag);
        Creators.Hold(image.Creator);
        Reasons.Hold(image.Reason);
    }

    public void Release(Policy policy, in EntryImage image)
    {
        Tags(policy).Release(image.Tag);
        Creators.Release(image.Creator);
        Reasons.Release(image.Reason);
    }

    /// <summary>Takes a slot for an absent network. The slot takes over the image's hold on its names.</summary>
    public static int Insert(RuleTable table, in Cidr cidr, in EntryImage image)
    {
        int slot = table.Insert(cidr);
        Set(table, slot, image);
        return slot;
    }

    /// <summary>Gives a slot another content.</summary>
    public void Replace(RuleTable table, int slot, in EntryImage image)
    {
        Release(table.Policy, ImageOf(table, slot));
        Set(table, slot, image);
    }

    public void Remove(RuleTable table, int slot)
    {
        Release(table.Policy, ImageOf(table, slot));
        table.Remove(slot);
    }

    /// <summary>
    /// The monotonic timestamp of a wall-clock second. It is computed once, so that a later step of the clock neither ends nor prolongs
    /// an entry.
    /// </summary>
    public long DeadlineOf(ulong expiration, TimeSpan? timeLeft)
    {
        // A later second does not fit a DateTimeOffset: the year 9999.
        const ulong LastSecond = 253_402_300_799;
        if (expiration is 0 or > LastSecond)
        {
            return long.MaxValue;
        }

        TimeSpan left = timeLeft ?? (DateTimeOffset.FromUnixTimeSeconds((long)expiration) - _time.GetUtcNow());
        double ticks = Math.Max(0, left.TotalSeconds) * _time.TimestampFrequency;
        long now = _time.GetTimestamp();
        return ticks < long.MaxValue - now ? now + (long)ticks : long.MaxValue; // 63 bits of nanoseconds are 292 years
    }

    private static void Set(RuleTable table, int slot, in EntryImage image)
    {
        ref EntrySlot held = ref table.Entries[slot];
        held.Tag = image.Tag;
        held.Creator = image.Creator;
        held.Origin = image.Origin;
        held.Creation = image.Creation;
        held.Expiration = image.Expiration;
        if (held.HasReason || image.Reason != 0)
        {
            table.Reasons.Set(slot, image.Reason);
            held.HasReason = image.Reason != 0;
        }

        table.Expiry.Schedule(slot, image.Deadline);
    }

    private NameTable NewTags(IDataPlane plane, Policy policy) => new(
        _limits.MaxTags, _time, evicted: counter => Totals[(int)policy].Evict(counter, plane.ReadTag(policy, counter)));
}

/// <summary>
/// What the counters of a policy had counted when each passed from one tag to another. These counts belong to evicted tags, which
/// statistics show as one sum. Not thread-safe.
/// </summary>
internal sealed class TagTotals(int counters)
{
    private readonly Counter[] _past = new Counter[counters];

    /// <summary>Packets and bytes of all evicted tags.</summary>
    public Counter Evicted { get; private set; }

    /// <summary>What a counter had counted before its present tag had it.</summary>
    public Counter Past(int counter) => _past[counter];

    public void Evict(int counter, Counter counted)
    {
        Evicted += counted - _past[counter];
        _past[counter] = counted;
    }
}
