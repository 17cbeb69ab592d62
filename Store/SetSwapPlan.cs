namespace Couic.Store;

/// <summary>
/// What has to change in one table so that its set entries are those of an image, in the order in which it is done. It is
/// made and run in slices, between which others change the table too. What they add or remove is counted here, so that there is
/// room for all of the plan, and for taking it back. While it is made they find the table as it was; once it runs, as it will be.
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
    private int _toTakeOver;
    private int _toAdd;
    private int _peak;
    private int _lost;

    /// <param name="tags">The names behind the table's tag numbers.</param>
    public SetSwapPlan(RuleTable table, SetImage image, NameTable tags)
    {
        RuleTable = table;
        _image = image;
        _tags = tags;
        _rules = image.Rules(table.Family);
        _slots = table.Entries.Used; // sets gain no entries until the plan is run
        _wanted = new ulong[(_slots / 64) + 1];
    }

    public RuleTable RuleTable { get; }

    public List<SetSwapStep> Steps { get; private set; } = [];

    /// <summary>The first of the removals at the end, which free no room that another step needs: all others come before it.</summary>
    public int LastRemovals { get; private set; }

    /// <summary>How many of the steps are done.</summary>
    public int Done { get; set; }

    /// <summary>What was done, for who takes it back.</summary>
    public SetSwapPast Past { get; } = new();

    /// <summary>Entries that others may add while it runs; before that as many as they find room for.</summary>
    public int Spare { get; private set; } = int.MaxValue / 2;

    /// <summary>Whether anybody else has changed the table since the plan was begun.</summary>
    public bool IsDisturbed { get; private set; }

    /// <summary>Whether it is being carried out.</summary>
    public bool IsRunning { get; set; }

    /// <summary>Why it cannot be run; null when it can, as far as the plan knows.</summary>
    public (SetReplacementStatus Status, string Message)? Obstacle { get; private set; }

    public SetReplacementCounts Counts => new(Past.Added, Past.Removed, Past.TakenOver, _unchanged);

    /// <summary>The network of a step that is not done.</summary>
    public Cidr CidrOf(SetSwapStep step) => step.Removes ? RuleTable.Entries[step.Slot].Cidr : _rules[step.Rule].Cidr;

    public byte[] TagOf(SetSwapStep step) => _image.Tag(_rules[step.Rule].Number);

    /// <summary>Whether a network will be a set's once the plan is carried out. Not while it is made.</summary>
    public bool Brings(Cidr cidr) => IsRunning && _rules.Contains(cidr);

    /// <summary>Whether the entry in a slot, -1 for none, will be gone once the plan is carried out. Not while it is made.</summary>
    public bool TakesAway(int slot) =>
        IsRunning && slot >= 0 && RuleTable.Entries[slot] is { InUse: true, Origin: ChangeOrigin.Set } held && !_rules.Contains(held.Cidr);

    /// <summary>The tag that a network will have that the plan brings.</summary>
    public byte[] TagOf(Cidr cidr) => _image.Tag(_rules[_rules.IndexOf(cidr)].Number);

    /// <summary>Somebody else has added an entry.</summary>
    public void OnAdded()
    {
        IsDisturbed = true;
        Spare--;
    }

    /// <summary>Somebody else has removed an entry. The place of one that is wanted stays reserved.</summary>
    public void OnRemoved(Cidr cidr)
    {
        IsDisturbed = true;
        if (_rules.Contains(cidr))
        {
            _lost++;
        }
        else
        {
            Spare++;
        }
    }

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

    /// <summary>
    /// Puts the steps into an order in which the table never exceeds its limit and nothing wanted is uncovered. Needs no lock:
    /// it reads entries of sets alone.
    /// </summary>
    /// <param name="count">Entries in the table.</param>
    public void Arrange(int count)
    {
        int limit = RuleTable.Limit;
        if (count + _toAdd - _removals.Count > limit)
        {
            int others = count - _removals.Count - _toTakeOver - _unchanged;
            Obstacle = (SetReplacementStatus.Full,
                $"the sets define {_toAdd + _toTakeOver + _unchanged} entries of {Table} and {others} others are there: more than the limit of {limit}");
        }
        else if (count + _toAdd <= limit)
        {
            // Additions first: what is covered before and after is covered all the time.
            _peak = _toAdd;
            LastRemovals = Steps.Count;
            Steps.AddRange(_removals);
        }
        else if (SetSwapOrder.TryArrange(this, _removals, limit - count, out List<SetSwapStep> order, out _peak))
        {
            Steps = order;
            LastRemovals = order.Count;
        }
        else
        {
            Obstacle = NoRoom;
        }

        Past.Reserve(_toTakeOver, _removals.Count);
    }

    /// <summary>
    /// An entry of <c>ignore</c> has to outlast those of <c>drop</c> that it covers and that go with it. A full table of
    /// <c>ignore</c> cannot wait, so a swap that needs both is refused.
    /// </summary>
    public void RequireRoomToOutlast(SetSwapPlan drop)
    {
        if (Obstacle is not null || LastRemovals < Steps.Count || _removals.Count == 0)
        {
            return;
        }

        var sorted = new SetRuleList(RuleTable.Family, _removals.Count + drop._removals.Count);
        _removals.ForEach(step => sorted.Add(CidrOf(step), 0));
        drop._removals.ForEach(step => sorted.Add(drop.CidrOf(step), 1));
        sorted.Sort();

        // Networks nest or are disjoint: the first of those that overlap contains the others.
        SetRule outer = sorted[0];
        for (int i = 1; i < sorted.Count; i++)
        {
            if (!outer.Cidr.Contains(sorted[i].Cidr))
            {
                outer = sorted[i];
            }
            else if (outer.Number != sorted[i].Number)
            {
                Obstacle = NoRoom;
                return;
            }
        }
    }

    /// <summary>Takes the room that the plan needs, whatever became of the table since it was made; false when it is not there.</summary>
    public bool TryReserve()
    {
        int spare = RuleTable.Limit - (RuleTable.Entries.Count + _peak + _lost);
        if (Obstacle is not null || spare < 0)
        {
            return false;
        }

        Spare = spare;
        return true;
    }

    private string Table => $"{RuleTable.Policy.Name()} IPv{(RuleTable.Family == IpFamily.V4 ? 4 : 6)}";

    private (SetReplacementStatus, string) NoRoom => (
        SetReplacementStatus.NoRoomToReplace,
        $"{Table} is too full ({RuleTable.Entries.Count} of {RuleTable.Limit} entries) to replace overlapping networks without a gap; reload in two steps");

    private void CompareRule(SetRule rule, int number)
    {
        int slot = RuleTable.Entries.Find(rule.Cidr);
        if (slot < 0)
        {
            _toAdd++;
            Steps.Add(SetSwapStep.Want(number, takesOver: false));
            return;
        }

        if (rule.Number != _lastSet)
        {
            _lastSet = rule.Number;
            _lastTag = _tags.Find(_image.Tag(_lastSet));
        }

        ref EntrySlot held = ref RuleTable.Entries[slot];
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
            _toTakeOver++;
            Steps.Add(SetSwapStep.Want(number, takesOver: true));
        }
    }

    private void CompareSlot(int slot)
    {
        ref EntrySlot held = ref RuleTable.Entries[slot];
        if (held.InUse && held.Origin == ChangeOrigin.Set && (_wanted[slot / 64] & (1UL << (slot & 63))) == 0)
        {
            _removals.Add(SetSwapStep.Remove(slot));
        }
    }
}
