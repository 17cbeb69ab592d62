namespace Couic.Store;

/// <summary>
/// Enforces the rules: the kernel's maps, or a model of them in tests. The store is its only writer, and brings every change in three
/// steps: <see cref="Prepare"/>, <see cref="Write"/>, <see cref="Publish"/>. A change is in force once it is published. Replacing a
/// key never leaves a moment in which it is absent. Counters may be read at any time.
/// </summary>
public interface IDataPlane
{
    /// <summary>A change of this network is about to come, among others: what it needs may be prefetched.</summary>
    void Prefetch(Policy policy, Cidr cidr)
    {
    }

    /// <summary>Decides how a change will be held and reserves what it needs; it may be refused here. Under the store's lock.</summary>
    void Prepare(ref EntryMutation mutation);

    /// <summary>
    /// Brings at most <see cref="ChangeBatch.Capacity"/> prepared changes of different entries to the kernel, where each may be refused.
    /// With or without the store's lock, one call at a time.
    /// </summary>
    void Write(Span<EntryMutation> mutations);

    /// <summary>Publishes a change that was written, or gives back what was prepared for a refused one. Under the store's lock.</summary>
    void Publish(in EntryMutation mutation);

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
