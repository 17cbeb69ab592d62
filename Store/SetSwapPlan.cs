using System.Runtime.InteropServices;

namespace Couic.Store;

/// <summary>One change of a swap.</summary>
/// <param name="Slot">Of the entry; for an addition known only once it was made.</param>
/// <param name="Rule">Place in the image; for a removal -1.</param>
internal readonly record struct SetSwapStep(SetSwapKind Kind, int Slot, int Rule);

internal enum SetSwapKind : byte
{
    Add,
    TakeOver,
    Remove,
}

/// <summary>
/// What has to change in one table so that its set entries are those of an image, in the order in which it is done. It is
/// made in slices, between which other changes may come: those cannot touch the entries of sets, so what is unchanged or
/// goes stays known, and <see cref="Confirm"/> looks again at the rest.
/// </summary>
internal sealed class SetSwapPlan
{
    private readonly SetImage _image;
    private readonly SetRuleList _rules;
    private readonly NameTable _tags;
    private readonly List<SetSwapStep> _removals = [];
    private readonly ulong[] _wanted;
    private readonly int _slots;
    private int _rule;
    private int _slot;
    private int _lastSet = -1;
    private int _lastTag = -1;
    private int _unchanged;
    private int _takenOver;
    private int _added;

    /// <param name="tags">The names behind the table's tag numbers.</param>
    public SetSwapPlan(Category category, SetImage image, NameTable tags)
    {
        Category = category;
        _image = image;
        _tags = tags;
        _rules = image.Rules(category.Family);
        _slots = category.Entries.Used; // sets gain no entries until the plan is run
        _wanted = new ulong[(_slots / 64) + 1];
    }

    public Category Category { get; }

    public List<SetSwapStep> Steps { get; set; } = [];

    /// <summary>How many of the steps are done.</summary>
    public int Done { get; set; }

    /// <summary>What stood in the slots that were taken over or freed, in the order in which that happened.</summary>
    public List<EntryTable.Slot> Olds { get; private set; } = [];

    public SetSwapCounts Counts => new(_added, _removals.Count, _takenOver, _unchanged);

    /// <summary>Takes the last of <see cref="Olds"/>.</summary>
    public EntryTable.Slot TakeOld()
    {
        EntryTable.Slot old = Olds[^1];
        Olds.RemoveAt(Olds.Count - 1);
        return old;
    }

    public Cidr CidrOf(SetSwapStep step) => step.Rule >= 0 ? _rules[step.Rule].Cidr : Category.Entries[step.Slot].Cidr;

    public byte[] TagOf(SetSwapStep step) => _image.Tag(_rules[step.Rule].Number);

    /// <summary>Compares the next part of table and image.</summary>
    /// <param name="count">How much of it: bounds how long the store's lock is held.</param>
    /// <returns>Whether there is more.</returns>
    public bool CompareSlice(int count)
    {
        for (; count > 0 && _rule < _rules.Count; count--)
        {
            CompareRule(_rules[_rule], _rule++);
        }

        for (; count > 0 && _slot < _slots; count--)
        {
            CompareSlot(_slot++);
        }

        return _rule < _rules.Count || _slot < _slots;
    }

    /// <summary>Looks again at what others may have changed since.</summary>
    public void Confirm()
    {
        _added = _takenOver = 0;
        foreach (ref SetSwapStep step in CollectionsMarshal.AsSpan(Steps))
        {
            int slot = Category.Entries.Find(CidrOf(step with { Slot = -1 }));
            step = new SetSwapStep(slot < 0 ? SetSwapKind.Add : SetSwapKind.TakeOver, slot, step.Rule);
            _added += slot < 0 ? 1 : 0;
            _takenOver += slot < 0 ? 0 : 1;
        }
    }

    /// <summary>Puts the steps into an order in which the table never exceeds its limit and nothing wanted is uncovered.</summary>
    /// <returns>Null, or what is in the way.</returns>
    public (SetSwapStatus Status, string Message)? Arrange()
    {
        int count = Category.Entries.Count, limit = Category.Entries.Limit;
        string table = $"{Category.Policy.Name()} IPv{(Category.Family == IpFamily.V4 ? 4 : 6)}";
        int others = count - _removals.Count - _takenOver - _unchanged;
        if (count + _added - _removals.Count > limit)
        {
            return (SetSwapStatus.Full,
                $"the sets define {Counts.Total} entries of {table} and {others} others are there: more than the limit of {limit}");
        }

        Olds = new List<EntryTable.Slot>(_takenOver + _removals.Count);
        if (count + _added <= limit)
        {
            // Additions first: what is covered before and after is covered all the time.
            Steps.EnsureCapacity(Steps.Count + _removals.Count);
            Steps.AddRange(_removals);
            return null;
        }

        return SetSwapOrder.TryArrange(this, _removals, limit - count)
            ? null
            : (SetSwapStatus.NoRoomToSwap,
                $"{table} is too full ({count} of {limit} entries) to replace overlapping networks without a gap; reload in two steps");
    }

    private void CompareRule(SetRule rule, int number)
    {
        int slot = Category.Entries.Find(rule.Cidr);
        if (slot < 0)
        {
            Steps.Add(new SetSwapStep(SetSwapKind.Add, -1, number));
            return;
        }

        if (rule.Number != _lastSet)
        {
            _lastSet = rule.Number;
            _lastTag = _tags.Find(_image.Tag(_lastSet));
        }

        ref EntryTable.Slot held = ref Category.Entries[slot];
        if (held.Origin == ChangeOrigin.Set)
        {
            _wanted[slot / 64] |= 1UL << (slot & 63);
        }

        if (held.Tag == _lastTag)
        {
            _unchanged++;
        }
        else
        {
            Steps.Add(new SetSwapStep(SetSwapKind.TakeOver, slot, number));
        }
    }

    private void CompareSlot(int slot)
    {
        ref EntryTable.Slot held = ref Category.Entries[slot];
        if (held.InUse && held.Origin == ChangeOrigin.Set && (_wanted[slot / 64] & (1UL << (slot & 63))) == 0)
        {
            _removals.Add(new SetSwapStep(SetSwapKind.Remove, slot, -1));
        }
    }
}
