namespace Couic.Store;

/// <summary>
/// Makes the entries of sets exactly those of two images. An entry that is there under its tag stays as it is, one under another tag is
/// taken over (no expiry, creation now), missing ones are added, and set entries that no image has are removed. All of it happens or
/// nothing.
/// <para>
/// It is planned beside the store, reserves the slots that it needs, and runs in slices, each a <see cref="ChangeBatch"/>. Other changes
/// may come between two slices. For them it is one step: before it runs they find the tables as they are, and from then on as they
/// will be. A source with the same verdict before and after has it at every moment between.
/// </para>
/// </summary>
internal sealed class SetReplacement
{
    /// <summary>Entries that are compared per acquisition of the lock: a fraction of a millisecond.</summary>
    private const int CompareSlice = 2048;

    /// <summary>Plans that are made while others change the tables; the next one keeps them out.</summary>
    private const int MaxTries = 3;

    private readonly RuleStore _store;
    private readonly ChangeBatch _batch;

    /// <summary>One replacement at a time; taken before the store's lock.</summary>
    private readonly Lock _gate = new();
    private int _prefetchSink;

    public SetReplacement(RuleStore store, ChangeBatch batch)
    {
        _store = store;
        _batch = batch;
        BetweenSlices = store.YieldToWaiters;
    }

    /// <summary>Changes per acquisition of the lock.</summary>
    public int SliceSize { get; set; } = ChangeBatch.Capacity;

    /// <summary>Runs between two acquisitions of the lock.</summary>
    public Action BetweenSlices { get; set; }

    public SetReplacementResult Run(SetImage ignore, SetImage drop)
    {
        if (ignore.Policy != Policy.Ignore || drop.Policy != Policy.Drop)
        {
            throw new ArgumentException("one image for each policy, ignore first", nameof(ignore));
        }

        ignore.Sort();
        drop.Sort();
        lock (_gate)
        {
            try
            {
                _store.Expire(); // expired entries take no slots and are not taken over
                if (!TryPlan(ignore, drop, out TableReplacement[] plans))
                {
                    (SetReplacementStatus status, string message) = Array.Find(plans, plan => plan.Obstacle is not null)!.Obstacle!.Value;
                    return new SetReplacementResult(status, default, default, message);
                }

                PlaneRefusal? refusal = null;
                SetReplacementResult result = Array.TrueForAll(StagesOf(plans), stage => TryRun(stage, out refusal))
                    ? new SetReplacementResult(SetReplacementStatus.Done, plans[0].Counts + plans[1].Counts, plans[2].Counts + plans[3].Counts)
                    : Undo(plans, refusal!);
                using (_store.Enter())
                {
                    Array.ForEach(plans, plan => plan.Log.ReleaseNames(_store.Tables, plan.Table.Policy));
                }

                return result;
            }
            finally
            {
                using (_store.Enter())
                {
                    Array.ForEach(_store.Tables.All, table => table.Replacement = null);
                }
            }
        }
    }

    /// <summary>
    /// Plans all tables and reserves the slots that they need. Concurrent changes can take slots away or leave more than the plans
    /// know of; then they are made again.
    /// </summary>
    private bool TryPlan(SetImage ignore, SetImage drop, out TableReplacement[] plans)
    {
        for (int tries = 0; ; tries++)
        {
            using Lock.Scope exclusive = tries == MaxTries ? _store.EnterExclusive() : default;
            bool isExclusive = tries == MaxTries;
            plans = [
                Plan(ignore, IpFamily.V4, isExclusive), Plan(ignore, IpFamily.V6, isExclusive), Plan(drop, IpFamily.V4, isExclusive), Plan(drop, IpFamily.V6, isExclusive)];
            plans[0].RequireSpaceToOutlast(plans[2]);
            plans[1].RequireSpaceToOutlast(plans[3]);
            using (_store.EnterExclusive())
            {
                if (Array.TrueForAll(plans, plan => plan.TryReserve()))
                {
                    Array.ForEach(plans, plan => plan.IsRunning = true);
                    return true;
                }

                if (!Array.Exists(plans, plan => plan.IsDisturbed))
                {
                    return false;
                }
            }
        }
    }

    private TableReplacement Plan(SetImage image, IpFamily family, bool isExclusive)
    {
        RuleTable table = _store.Tables[image.Policy, family];
        TableReplacement plan;
        using (_store.Enter())
        {
            table.Replacement = plan = new TableReplacement(table, image, _store.Tables.Tags(image.Policy), _store.Tables.Reasons);
        }

        bool more;
        int count;
        do
        {
            using (_store.Enter())
            {
                more = plan.CompareSlice(CompareSlice);
                count = table.Entries.Count;
            }

            if (!isExclusive)
            {
                BetweenSlices();
            }
        }
        while (more);
        plan.Arrange(count);
        return plan;
    }

    /// <summary>
    /// Additions to <c>ignore</c>, all of <c>drop</c>, removals from <c>ignore</c>: when a source loses an entry in one table, the other
    /// has its entry already or still. The reverse order has the same property.
    /// </summary>
    private static Stage[] StagesOf(TableReplacement[] plans) =>
    [
        .. plans[..2].Select(plan => new Stage(plan, 0, plan.LastRemovals)),
        .. plans[2..].Select(plan => new Stage(plan, 0, plan.Steps.Count)),
        .. plans[..2].Select(plan => new Stage(plan, plan.LastRemovals, plan.Steps.Count)),
    ];

    private bool TryRun(Stage stage, out PlaneRefusal? refusal)
    {
        refusal = null;
        while (stage.Plan.Done < stage.End && refusal is null)
        {
            using (_store.EnterExclusive())
            {
                refusal = RunSlice(stage.Plan, stage.End);
            }

            BetweenSlices();
        }

        return refusal is null;
    }

    /// <summary>Makes the next steps of one kind, and returns the first refusal.</summary>
    private PlaneRefusal? RunSlice(TableReplacement plan, int end)
    {
        Prefetch(plan, Math.Min(plan.Done + SliceSize, end));
        int next = plan.Done;
        while (next < end && _batch.Mutations.Length < SliceSize && TryPlanStep(plan, next))
        {
            next++;
        }

        plan.Done = next;
        _batch.Write();
        PlaneRefusal? refusal = null;
        foreach (ref readonly EntryMutation mutation in _batch.Mutations)
        {
            if (mutation.Refusal is null)
            {
                plan.Log.Add(_store.Tables, plan.Table, mutation);
            }
            else
            {
                plan.Steps[mutation.Source] = ReplacementStep.None;
                refusal ??= mutation.Refusal;
            }
        }

        _batch.Commit();
        return refusal;
    }

    /// <summary>Plans a step. False when it is of another kind than those in the batch, which have to come first.</summary>
    private bool TryPlanStep(TableReplacement plan, int index)
    {
        RuleTable table = plan.Table;
        ReplacementStep step = plan.Steps[index];
        if (!_batch.Accepts(step.Removes ? MutationKind.Remove : MutationKind.Put))
        {
            return false;
        }

        if (step.Removes)
        {
            if (plan.WillRemove(step.Slot))
            {
                _batch.Plan(table, Mutation(MutationKind.Remove, table.Entries[step.Slot].Cidr, step.Slot, RuleEventKind.Deleted, index));
            }
            else
            {
                plan.Steps[index] = ReplacementStep.None; // a client has made the entry its own
            }

            return true;
        }

        // A client may have added or removed the entry since the plan was made.
        Cidr cidr = plan.CidrOf(step);
        int slot = table.Entries.Find(cidr);
        plan.Steps[index] = ReplacementStep.Want(step.Rule, takesOver: slot >= 0);
        byte[] tag = plan.TagOf(step);
        EntryImage after = _store.Tables.NewImage(table.Policy, tag, 0, new ChangeContext(ChangeOrigin.Set, tag, reason: plan.ReasonOf(step)));
        RuleEventKind kind = slot < 0 ? RuleEventKind.Created : RuleEventKind.Updated;
        _batch.Plan(table, Mutation(MutationKind.Put, cidr, slot, kind, index) with { IsNew = slot < 0, After = after });
        return true;
    }

    /// <summary>
    /// Takes the steps that were made back, last one first; listeners hear of each. A step that the data plane refuses to take back
    /// stays: also then the store holds what is enforced.
    /// </summary>
    private SetReplacementResult Undo(TableReplacement[] plans, PlaneRefusal cause)
    {
        using (_store.Enter())
        {
            Array.ForEach(plans, plan => plan.IsRunning = false);
        }

        int stuck = 0;
        foreach ((TableReplacement plan, int start, _) in StagesOf(plans).Reverse())
        {
            while (plan.Done > start)
            {
                using (_store.EnterExclusive())
                {
                    stuck += UndoSlice(plan, start);
                }

                BetweenSlices();
            }
        }

        _store.LastRefusal = cause;
        string message = $"the data plane refused: {cause.Message}" + (stuck == 0 ? "" : $"; {stuck} changes could not be taken back");
        return new SetReplacementResult(SetReplacementStatus.Refused, default, default, message);
    }

    /// <summary>Makes the inverse of the last steps of one kind, and returns how many were refused.</summary>
    private int UndoSlice(TableReplacement plan, int start)
    {
        while (plan.Done > start && _batch.Mutations.Length < SliceSize && TryPlanInverse(plan, plan.Steps[plan.Done - 1]))
        {
            plan.Done--;
        }

        _batch.Write();
        int refused = 0;
        foreach (ref readonly EntryMutation mutation in _batch.Mutations)
        {
            refused += mutation.Refusal is null ? 0 : 1;
        }

        _batch.Commit();
        return refused;
    }

    private bool TryPlanInverse(TableReplacement plan, ReplacementStep step)
    {
        if (step.IsNone)
        {
            return true;
        }

        RuleTable table = plan.Table;
        bool isAddition = !step.Removes && !step.TakesOver;
        if (!_batch.Accepts(isAddition ? MutationKind.Remove : MutationKind.Put))
        {
            return false;
        }

        if (isAddition)
        {
            Cidr added = plan.CidrOf(step);
            _batch.Plan(table, Mutation(MutationKind.Remove, added, table.Entries.Find(added), RuleEventKind.Deleted));
            return true;
        }

        (Cidr cidr, EntryImage before) = step.Removes ? plan.Log.TakeRemoved() : (plan.CidrOf(step), plan.Log.TakeReplaced());
        int slot = table.Entries.Find(cidr); // a client may have added one that was removed

        // For listeners to sets, an entry that returns to a client is gone from its set.
        RuleEventKind kind = slot < 0 ? RuleEventKind.Created : before.Origin == ChangeOrigin.Set ? RuleEventKind.Updated : RuleEventKind.Deleted;
        _store.Tables.Hold(table.Policy, before);
        _batch.Plan(table, Mutation(MutationKind.Put, cidr, slot, kind) with { IsNew = slot < 0, After = before });
        return true;
    }

    private static EntryMutation Mutation(MutationKind kind, Cidr cidr, int slot, RuleEventKind change, int step = 0) =>
        new() { Kind = kind, Cidr = cidr, Slot = slot, Event = change, Origin = ChangeOrigin.Set, Source = step };

    private void Prefetch(TableReplacement plan, int end)
    {
        SlotTable<EntrySlot> entries = plan.Table.Entries;
        for (int i = plan.Done; i < end; i++)
        {
            _prefetchSink += plan.Steps[i].Removes ? entries[plan.Steps[i].Slot].Length : 0;
        }

        for (int i = plan.Done; i < end; i++)
        {
            _store.Plane.Prefetch(plan.Table.Policy, plan.CidrOf(plan.Steps[i]));
        }

        for (int round = 0; round < 2; round++)
        {
            for (int i = plan.Done; i < end; i++)
            {
                _prefetchSink += entries.Prefetch(plan.CidrOf(plan.Steps[i]), isSecondRound: round > 0);
            }
        }
    }

    /// <summary>Steps of a plan that run without an interruption by another table.</summary>
    private readonly record struct Stage(TableReplacement Plan, int Start, int End);
}

/// <summary>
/// What has to change in one table so that its set entries are those of an image, in the order in which it is done. Concurrent additions
/// and removals are counted, so that all of the plan, and its undo, find their slots. Guarded by the store's lock.
/// </summary>
/// <param name="tags">The names of the table's tag numbers.</param>
internal sealed class TableReplacement(RuleTable table, SetImage image, NameTable tags, ReasonTexts reasons)
{
    private readonly SetRuleList _rules = image.Rules(table.Family);
    private readonly List<ReplacementStep> _removals = [];

    /// <summary>Slots that may hold entries of sets: sets gain none until the plan runs.</summary>
    private readonly int _slots = table.Entries.Used;
    private readonly ulong[] _wanted = new ulong[(table.Entries.Used / 64) + 1];
    private int _rule;
    private int _slot;
    private int _lastSet = -1;
    private int _lastTag = -1;
    private int _lastReason;
    private int _unchanged;
    private int _toTakeOver;
    private int _toAdd;
    private int _peak;
    private int _lost;

    public RuleTable Table => table;

    public List<ReplacementStep> Steps { get; private set; } = [];

    /// <summary>The first of the removals at the end, which free no slot that another step needs: all others come before it.</summary>
    public int LastRemovals { get; private set; }

    /// <summary>How many of the steps are done.</summary>
    public int Done { get; set; }

    public UndoLog Log { get; } = new();

    /// <summary>Entries that others may add while it runs; before that, as many as there is space for.</summary>
    public int Spare { get; private set; } = int.MaxValue / 2;

    /// <summary>Whether another change of the table came since the plan was begun.</summary>
    public bool IsDisturbed { get; private set; }

    public bool IsRunning { get; set; }

    /// <summary>Why it cannot run; null when it can, as far as the plan knows.</summary>
    public (SetReplacementStatus Status, string Message)? Obstacle { get; private set; }

    public SetReplacementCounts Counts => new(Log.Added, Log.Removed, Log.TakenOver, _unchanged);

    private string Name => $"{table.Policy.Name()} IPv{(table.Family == IpFamily.V4 ? 4 : 6)}";

    private (SetReplacementStatus, string) NoSpace => (
        SetReplacementStatus.NoRoomToReplace,
        $"{Name} is too full ({table.Entries.Count} of {table.Limit} entries) to replace overlapping networks without a gap; reload in two steps");

    /// <summary>The network of a step that is not done.</summary>
    public Cidr CidrOf(ReplacementStep step) => step.Removes ? table.Entries[step.Slot].Cidr : _rules[step.Rule].Cidr;

    public byte[] TagOf(ReplacementStep step) => image.Tag(_rules[step.Rule].Number);

    public byte[] ReasonOf(ReplacementStep step) => image.Reason(_rules[step.Rule].Number);

    /// <summary>Whether a network will be a set's once the plan has run.</summary>
    public bool WillAdd(Cidr cidr) => _rules.Contains(cidr);

    /// <summary>Whether the entry in a slot, -1 for none, will be gone once the plan has run.</summary>
    public bool WillRemove(int slot) =>
        slot >= 0 && table.Entries[slot] is { InUse: true, Origin: ChangeOrigin.Set } held && !_rules.Contains(held.Cidr);

    /// <summary>The tag of a network that the plan will add.</summary>
    public byte[] TagOf(Cidr cidr) => image.Tag(_rules[_rules.IndexOf(cidr)].Number);

    /// <summary>The reason of a network that the plan will add.</summary>
    public byte[] ReasonOf(Cidr cidr) => image.Reason(_rules[_rules.IndexOf(cidr)].Number);

    /// <summary>Another change has added an entry.</summary>
    public void OnAdded()
    {
        IsDisturbed = true;
        Spare--;
    }

    /// <summary>Another change has removed an entry. The slot of a wanted one stays reserved.</summary>
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
    /// Orders the steps so that the table never exceeds its limit and no wanted source is uncovered. Needs no lock: it reads entries of
    /// sets alone.
    /// </summary>
    /// <param name="count">Entries in the table.</param>
    public void Arrange(int count)
    {
        int limit = table.Limit;
        if (count + _toAdd - _removals.Count > limit)
        {
            int others = count - _removals.Count - _toTakeOver - _unchanged;
            Obstacle = (SetReplacementStatus.Full,
                $"the sets define {_toAdd + _toTakeOver + _unchanged} entries of {Name} and {others} others are there: more than the limit of {limit}");
        }
        else if (count + _toAdd <= limit)
        {
            // Additions first: a source that is covered before and after is covered at every moment.
            _peak = _toAdd;
            LastRemovals = Steps.Count;
            Steps.AddRange(_removals);
        }
        else if (ReplacementOrder.TryArrange(this, _removals, limit - count, out List<ReplacementStep> order, out _peak))
        {
            Steps = order;
            LastRemovals = order.Count;
        }
        else
        {
            Obstacle = NoSpace;
        }

        Log.Reserve(_toTakeOver, _removals.Count);
    }

    /// <summary>
    /// An entry of <c>ignore</c> has to outlast those of <c>drop</c> that it covers and that go with it. A full table of <c>ignore</c>
    /// cannot wait, so a replacement that needs both is refused.
    /// </summary>
    public void RequireSpaceToOutlast(TableReplacement drop)
    {
        if (Obstacle is not null || LastRemovals < Steps.Count || _removals.Count == 0)
        {
            return;
        }

        var sorted = new SetRuleList(table.Family, _removals.Count + drop._removals.Count);
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
                Obstacle = NoSpace;
                return;
            }
        }
    }

    /// <summary>Reserves the slots that the plan needs, whatever changed since it was made; false when they are not free.</summary>
    public bool TryReserve()
    {
        int spare = table.Limit - (table.Entries.Count + _peak + _lost);
        if (Obstacle is not null || spare < 0)
        {
            return false;
        }

        Spare = spare;
        return true;
    }

    private void CompareRule(SetRule rule, int number)
    {
        int slot = table.Entries.Find(rule.Cidr);
        if (slot < 0)
        {
            _toAdd++;
            Steps.Add(ReplacementStep.Want(number, takesOver: false));
            return;
        }

        if (rule.Number != _lastSet)
        {
            _lastSet = rule.Number;
            _lastTag = tags.Find(image.Tag(_lastSet));
            _lastReason = reasons.Find(image.Reason(_lastSet));
        }

        ref EntrySlot held = ref table.Entries[slot];
        if (held.Origin == ChangeOrigin.Set)
        {
            _wanted[slot / 64] |= 1UL << (slot & 63);
        }

        if (held.Tag == _lastTag && (held.HasReason ? table.Reasons[slot] : 0) == _lastReason)
        {
            _unchanged++;
        }
        else
        {
            _toTakeOver++;
            Steps.Add(ReplacementStep.Want(number, takesOver: true));
        }
    }

    private void CompareSlot(int slot)
    {
        ref EntrySlot held = ref table.Entries[slot];
        if (held.InUse && held.Origin == ChangeOrigin.Set && (_wanted[slot / 64] & (1UL << (slot & 63))) == 0)
        {
            _removals.Add(ReplacementStep.Remove(slot));
        }
    }
}

/// <summary>One step of a replacement, in four bytes: there are as many as entries.</summary>
internal readonly struct ReplacementStep
{
    /// <summary>Nothing is to be done: another change or a refusal came before the step.</summary>
    public static readonly ReplacementStep None = new(int.MinValue);

    private readonly int _number;

    private ReplacementStep(int number) => _number = number;

    /// <summary>Whether an entry is removed; otherwise a network of the image is added, or takes over an existing entry.</summary>
    public bool Removes => _number < 0;

    public bool IsNone => _number == int.MinValue;

    /// <summary>Slot of the entry to remove.</summary>
    public int Slot => ~_number;

    /// <summary>Index in the image.</summary>
    public int Rule => _number >> 1;

    /// <summary>Whether there was an entry already. Only certain once the step is done.</summary>
    public bool TakesOver => (_number & 1) != 0;

    public static ReplacementStep Want(int rule, bool takesOver) => new((rule << 1) | (takesOver ? 1 : 0));

    public static ReplacementStep Remove(int slot) => new(~slot);
}

/// <summary>
/// What stood in the slots that a replacement took over or freed in one table, in the order of its steps. Each name in it is held once,
/// so that its number keeps its meaning. Guarded by the store's lock.
/// </summary>
internal sealed class UndoLog
{
    private readonly List<EntryImage> _replaced = [];
    private readonly List<RemovedEntry> _removed = [];
    private readonly HashSet<int> _tags = [];
    private readonly HashSet<int> _creators = [];
    private readonly HashSet<int> _reasons = [];

    public int Added { get; private set; }

    public int TakenOver => _replaced.Count;

    public int Removed => _removed.Count;

    /// <summary>Allocates, so that nothing grows while the store's lock is held.</summary>
    public void Reserve(int takeOvers, int removals)
    {
        _replaced.EnsureCapacity(takeOvers);
        _removed.EnsureCapacity(removals);
    }

    /// <summary>A mutation is about to be committed.</summary>
    public void Add(RuleTables tables, RuleTable table, in EntryMutation mutation)
    {
        if (mutation.IsNew)
        {
            Added++;
            return;
        }

        EntryImage before = RuleTables.ImageOf(table, mutation.Slot);
        if (_tags.Add(before.Tag))
        {
            tables.Tags(table.Policy).Hold(before.Tag);
        }

        if (_creators.Add(before.Creator))
        {
            tables.Creators.Hold(before.Creator);
        }

        if (_reasons.Add(before.Reason))
        {
            tables.Reasons.Hold(before.Reason);
        }

        if (mutation.Kind == MutationKind.Remove)
        {
            _removed.Add(new RemovedEntry(mutation.Cidr, before.Creation, before.Tag, before.Creator, before.Reason));
        }
        else
        {
            _replaced.Add(before);
        }
    }

    /// <summary>The entry that was taken over last, as it was.</summary>
    public EntryImage TakeReplaced()
    {
        EntryImage last = _replaced[^1];
        _replaced.RemoveAt(_replaced.Count - 1);
        return last;
    }

    /// <summary>The entry that was removed last, as it was.</summary>
    public (Cidr Cidr, EntryImage Image) TakeRemoved()
    {
        RemovedEntry last = _removed[^1];
        _removed.RemoveAt(_removed.Count - 1);
        return (last.Cidr, new EntryImage(last.Tag, last.Creator, last.Reason, ChangeOrigin.Set, last.Creation, 0, long.MaxValue));
    }

    public void ReleaseNames(RuleTables tables, Policy policy)
    {
        foreach (int tag in _tags)
        {
            tables.Tags(policy).Release(tag);
        }

        foreach (int creator in _creators)
        {
            tables.Creators.Release(creator);
        }

        foreach (int reason in _reasons)
        {
            tables.Reasons.Release(reason);
        }
    }

    /// <summary>Entries of sets never expire.</summary>
    private readonly record struct RemovedEntry(Cidr Cidr, ulong Creation, int Tag, int Creator, int Reason);
}

/// <summary>
/// The order of a replacement whose table cannot hold old and new entries at once. Additions and removals whose networks overlap form a
/// group; within a group additions come first, so that nothing is uncovered, and disjoint groups are independent. Groups that free slots
/// come first, the least demanding one first; then those that need slots, the one that frees most first: if any order of whole groups
/// fits, this one does.
/// </summary>
internal static class ReplacementOrder
{
    /// <summary>Arranges the plan's steps and the removals; false when no order fits.</summary>
    /// <param name="free">Free slots at the start.</param>
    /// <param name="peak">The highest number of entries on the way, less that at the start.</param>
    public static bool TryArrange(TableReplacement plan, List<ReplacementStep> removals, int free, out List<ReplacementStep> order, out int peak)
    {
        var sorted = new SetRuleList(plan.Table.Family, plan.Steps.Count + removals.Count);
        order = new List<ReplacementStep>(plan.Steps.Count + removals.Count);
        foreach (ReplacementStep step in plan.Steps)
        {
            if (step.TakesOver)
            {
                order.Add(step);
            }
            else
            {
                sorted.Add(plan.CidrOf(step), step.Rule << 1);
            }
        }

        foreach (ReplacementStep step in removals)
        {
            sorted.Add(plan.CidrOf(step), (step.Slot << 1) | 1);
        }

        sorted.Sort();
        // Most changes overlap with no other: their removals come first, their additions last.
        List<Group> groups = Split(sorted);
        int used = peak = 0;
        Append(order, sorted, groups, group => group.Adds == 0, ref used, ref peak);
        List<Group> mixed = groups.FindAll(group => group.Adds > 0 && group.Removes > 0);
        mixed.Sort();
        foreach (Group group in mixed)
        {
            Append(order, sorted, group, removes: false, ref used, ref peak);
            Append(order, sorted, group, removes: true, ref used, ref peak);
        }

        Append(order, sorted, groups, group => group.Removes == 0, ref used, ref peak);
        return peak <= free;
    }

    /// <summary>Networks nest or are disjoint; sorted by address and length, the first of a group contains all of it.</summary>
    private static List<Group> Split(SetRuleList sorted)
    {
        var groups = new List<Group>();
        for (int start = 0, end; start < sorted.Count; start = end)
        {
            int adds = 0;
            Cidr first = sorted[start].Cidr;
            for (end = start; end < sorted.Count && first.Contains(sorted[end].Cidr); end++)
            {
                adds += IsRemoval(sorted[end].Number) ? 0 : 1;
            }

            // Neighbours that only add, or only remove, share a group.
            if (groups.Count > 0 && groups[^1] is var last && ((last.Adds == 0 && adds == 0) || (last.Removes == 0 && adds == end - start)))
            {
                groups[^1] = new Group(last.Start, end, last.Adds + adds);
            }
            else
            {
                groups.Add(new Group(start, end, adds));
            }
        }

        return groups;
    }

    private static bool IsRemoval(int number) => (number & 1) != 0;

    private static void Append(
        List<ReplacementStep> order, SetRuleList sorted, List<Group> groups, Predicate<Group> which, ref int used, ref int peak)
    {
        foreach (Group group in groups)
        {
            if (which(group))
            {
                Append(order, sorted, group, removes: group.Adds == 0, ref used, ref peak);
            }
        }
    }

    private static void Append(List<ReplacementStep> order, SetRuleList sorted, Group group, bool removes, ref int used, ref int peak)
    {
        for (int i = group.Start; i < group.End; i++)
        {
            int number = sorted[i].Number;
            if (IsRemoval(number) == removes)
            {
                order.Add(removes ? ReplacementStep.Remove(number >> 1) : ReplacementStep.Want(number >> 1, takesOver: false));
                used += removes ? -1 : 1;
                peak = Math.Max(peak, used);
            }
        }
    }

    private readonly record struct Group(int Start, int End, int Adds) : IComparable<Group>
    {
        public int Removes => End - Start - Adds;

        public int Gain => Removes - Adds;

        public int CompareTo(Group other)
        {
            int order = (Gain < 0).CompareTo(other.Gain < 0);
            order = order != 0 ? order : Gain >= 0 ? Adds.CompareTo(other.Adds) : other.Removes.CompareTo(Removes);
            return order != 0 ? order : Start.CompareTo(other.Start);
        }
    }
}

/// <summary>How <see cref="RuleStore.ReplaceSets"/> ended. All but <see cref="Done"/> changed nothing.</summary>
public enum SetReplacementStatus : byte
{
    Done,

    /// <summary>The entries of the sets and the others exceed the table's limit.</summary>
    Full,

    /// <summary>They fit, but every order of changes exceeds the limit on the way or leaves a gap.</summary>
    NoRoomToReplace,

    /// <summary>The data plane refused a change; <see cref="RuleStore.LastRefusal"/> says why.</summary>
    Refused,
}

/// <param name="TakenOver">Entries that existed under another tag, a set's or a client's.</param>
public readonly record struct SetReplacementCounts(int Added, int Removed, int TakenOver, int Unchanged)
{
    /// <summary>Entries that the sets define now.</summary>
    public int Total => Added + TakenOver + Unchanged;

    public static SetReplacementCounts operator +(SetReplacementCounts a, SetReplacementCounts b) =>
        new(a.Added + b.Added, a.Removed + b.Removed, a.TakenOver + b.TakenOver, a.Unchanged + b.Unchanged);
}

/// <param name="Message">Empty when done, otherwise the obstacle.</param>
public sealed record SetReplacementResult(SetReplacementStatus Status, SetReplacementCounts Ignore, SetReplacementCounts Drop, string Message = "")
{
    public SetReplacementCounts Of(Policy policy) => policy == Policy.Ignore ? Ignore : Drop;
}
