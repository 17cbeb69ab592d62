namespace Couic.Store;

/// <summary>
/// What enforces the rules: the kernel's maps, or a model of them in tests. The store is its only writer and calls it
/// under its own lock, so an implementation needs no lock for <see cref="Apply"/>; the readers may run at any time.
/// </summary>
public interface IDataPlane
{
    /// <summary>
    /// Applies changes in order and returns how many were applied; fewer than given means that the next one was refused,
    /// for the reason in <paramref name="refusal"/>, and that nothing behind it was tried. A change that was applied is in
    /// force when this returns. Replacing a key never leaves a moment in which it is absent.
    /// </summary>
    int Apply(ReadOnlySpan<RuleChange> changes, out PlaneRefusal? refusal);

    /// <summary>A change of this network is about to come, among others: what it needs may be brought near meanwhile.</summary>
    void Prefetch(Policy policy, Cidr cidr)
    {
    }

    /// <summary>Decides how a change will be held: a new entry, or one to be removed. Under the store's lock.</summary>
    void Plan(ref PlannedChange change);

    /// <summary>
    /// Brings planned changes of different entries to the kernel, where they may be refused one by one. Not under the store's lock:
    /// one call at a time, and no <see cref="Apply"/> meanwhile.
    /// </summary>
    void Write(Span<PlannedChange> changes);

    /// <summary>
    /// Ends what was planned and written; a change that was not refused is in force when this returns. Under the store's lock.
    /// </summary>
    void Finish(in PlannedChange change);

    /// <summary>Packets and bytes per XDP action, summed over CPUs, indexed by the action's number (0 to 4).</summary>
    void ReadActions(Span<Counter> actions);

    /// <summary>Packets and bytes per counter index of a policy, summed over CPUs. Fills as many as are asked for.</summary>
    void ReadTags(Policy policy, Span<Counter> counters);

    /// <summary>As <see cref="ReadTags"/>, for one counter. Under the store's lock.</summary>
    Counter ReadTag(Policy policy, int counter);

    /// <summary>Packets that an entry decided and when it last did; false where per-entry counters are off.</summary>
    bool TryReadHits(Policy policy, Cidr cidr, int slot, out EntryHits hits);

    /// <summary>Bytes of kernel memory that the maps hold, by map name.</summary>
    IReadOnlyList<MapMemory> ReadMemory();
}

/// <summary>One key of one table to set (added or replaced) or to remove.</summary>
/// <param name="Counter">Index of the tag's counter; see <see cref="RuleStore.Tags"/>.</param>
/// <param name="Slot">Number of the entry's slot within its policy and family, below that table's limit, stable while it lives.</param>
public readonly record struct RuleChange(RuleChangeKind Kind, Policy Policy, Cidr Cidr, int Counter, int Slot);

/// <summary>A change on its way through <see cref="IDataPlane.Plan"/>, <see cref="IDataPlane.Write"/> and <see cref="IDataPlane.Finish"/>.</summary>
#pragma warning disable CA1051 // the data plane changes it in place, by reference
public struct PlannedChange
{
    public RuleChange Change;

    /// <summary>The data plane's own.</summary>
    public uint Rule;

    /// <summary>Null unless it was refused.</summary>
    public PlaneRefusal? Refusal;
}
#pragma warning restore CA1051

public enum RuleChangeKind : byte
{
    Set,
    Remove,
}

/// <param name="Errno">The kernel's error number, 0 where there was none.</param>
/// <param name="Message">What was refused and why, ready for a log.</param>
public sealed record PlaneRefusal(int Errno, string Message);

public readonly record struct Counter(ulong Packets, ulong Bytes)
{
    public static Counter operator +(Counter a, Counter b) => new(a.Packets + b.Packets, a.Bytes + b.Bytes);

    /// <summary>Zero where more would be taken away than there is.</summary>
    public static Counter operator -(Counter a, Counter b) =>
        new(a.Packets - Math.Min(a.Packets, b.Packets), a.Bytes - Math.Min(a.Bytes, b.Bytes));
}

/// <param name="LastHit">UTC; null when it was never hit.</param>
public readonly record struct EntryHits(ulong Packets, DateTimeOffset? LastHit);

public sealed record MapMemory(string Name, string Type, uint MaxEntries, long Bytes);
