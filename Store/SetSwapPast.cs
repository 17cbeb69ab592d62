namespace Couic.Store;

/// <summary>
/// What a swap has done to one table, as far as taking it back needs it: what stood in the slots that were taken over or freed, in
/// the order in which that happened. Not thread-safe.
/// </summary>
internal sealed class SetSwapPast
{
    private readonly List<Former> _takenOver = [];
    private readonly List<Gone> _removed = [];

    /// <summary>Numbers of the tags that went; each is held once until the swap is over, so that it means the same name.</summary>
    public HashSet<int> Tags { get; } = [];

    /// <summary>The same for names of creators.</summary>
    public HashSet<int> Creators { get; } = [];

    public int Added { get; set; }

    public int TakenOver => _takenOver.Count;

    public int Removed => _removed.Count;

    /// <summary>Makes room, so that nothing grows while the store's lock is held.</summary>
    public void Reserve(int takeOvers, int removals)
    {
        _takenOver.EnsureCapacity(takeOvers);
        _removed.EnsureCapacity(removals);
    }

    /// <summary>An entry is about to be taken over.</summary>
    public void KeepFormer(in EntrySlot held) =>
        _takenOver.Add(new Former(held.Creation, held.Expiration, held.Deadline, held.Tag, held.Creator, held.Origin));

    /// <summary>An entry of a set is about to go.</summary>
    public void KeepGone(in EntrySlot held) => _removed.Add(new Gone(held.Cidr, held.Creation, held.Tag, held.Creator));

    /// <summary>What was taken over last, as it was.</summary>
    public EntrySlot TakeFormer(Cidr cidr)
    {
        Former former = _takenOver[^1];
        _takenOver.RemoveAt(_takenOver.Count - 1);
        return Slot(cidr, former);
    }

    /// <summary>What went last, as it was.</summary>
    public EntrySlot TakeGone()
    {
        Gone gone = _removed[^1];
        _removed.RemoveAt(_removed.Count - 1);
        return Slot(gone.Cidr, new Former(gone.Creation, 0, long.MaxValue, gone.Tag, gone.Creator, ChangeOrigin.Set));
    }

    private static EntrySlot Slot(Cidr cidr, in Former former) => new()
    {
        Cidr = cidr,
        Creation = former.Creation,
        Expiration = former.Expiration,
        Deadline = former.Deadline,
        Tag = former.Tag,
        Creator = former.Creator,
        Origin = former.Origin,
    };

    private readonly record struct Former(ulong Creation, ulong Expiration, long Deadline, int Tag, int Creator, ChangeOrigin Origin);

    /// <summary>Entries of sets never expire.</summary>
    private readonly record struct Gone(Cidr Cidr, ulong Creation, int Tag, int Creator);
}
