using System.Diagnostics;

namespace Couic.Store;

public sealed partial class RuleStore
{
    /// <summary>Entries that are compared under one hold of the lock: a fraction of a millisecond.</summary>
    private const int CompareSlice = 2048;

    /// <summary>Plans that are made while others change the tables; the next one keeps them out.</summary>
    private const int MaxTries = 3;

    /// <summary>How long those who wait for the lock may take to get it, between two holds of it.</summary>
    private static readonly TimeSpan Gap = TimeSpan.FromMilliseconds(5);

    /// <summary>One swap at a time; taken before the store's own lock.</summary>
    private readonly Lock _swapGate = new();

    /// <summary>Changes that are made under one hold of the lock: a third of a millisecond. A request may take the lock several times.</summary>
    internal int SwapBatch { get; set; } = 128;

    /// <summary>Done between two holds of the lock.</summary>
    internal Action BetweenSlices { get; set; }

    /// <summary>
    /// Makes the entries of sets exactly those of the images: what is there under its tag stays as it is, what is there under
    /// another tag is taken over (no expiry, creation now), the rest is added, and set entries that nobody wants any more go.
    /// All of it happens or nothing. It is done in slices, but is one step for every other change:
    /// those that come while it is prepared are before it, those that come later find each network as the swap will leave it
    /// (<c>RuleStore.SetsMeanwhile.cs</c>). A source with the same verdict before and after has it at every moment between.
    /// </summary>
    public SetReplacementResult ReplaceSets(SetImage ignore, SetImage drop)
    {
        if (ignore.Policy != Policy.Ignore || drop.Policy != Policy.Drop)
        {
            throw new ArgumentException("one image for each policy, ignore first", nameof(ignore));
        }

        ignore.Sort();
        drop.Sort();
        lock (_swapGate)
        {
            try
            {
                Expire(); // what has expired takes no room and is not taken over
                if (!TryPlan(ignore, drop, out SetSwapPlan[] plans))
                {
                    (SetReplacementStatus status, string message) = Array.Find(plans, plan => plan.Obstacle is not null)!.Obstacle!.Value;
                    return new SetReplacementResult(status, default, default, message);
                }

                SetReplacementResult result = Array.TrueForAll(StagesOf(plans), TryRun)
                    ? new SetReplacementResult(SetReplacementStatus.Done, plans[0].Counts + plans[1].Counts, plans[2].Counts + plans[3].Counts)
                    : Undo(plans);
                Array.ForEach(plans, ReleaseNames);
                return result;
            }
            finally
            {
                using (Enter())
                {
                    Array.ForEach(_tables, table => table.Swap = null);
                }
            }
        }
    }

    /// <summary>
    /// Gives those who wait for the lock their turn: a lock that is free goes to whoever comes first, and that is not a thread
    /// that has to wake up.
    /// </summary>
    private void GiveWay() => GiveWay(ref _waiting);

    /// <param name="others">How many threads wait, or are at work, for which the caller should wait.</param>
    private void GiveWay(ref int others)
    {
        if (Volatile.Read(ref others) == 0 || _gate.IsHeldByCurrentThread)
        {
            return;
        }

        long start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref others) > 0 && Stopwatch.GetElapsedTime(start) < Gap)
        {
            Thread.Yield();
        }
    }

    /// <summary>
    /// Makes the plans for all tables and takes the room they need. What others change meanwhile can only take room away from
    /// them or leave them more than they know; then they are made again.
    /// </summary>
    private bool TryPlan(SetImage ignore, SetImage drop, out SetSwapPlan[] plans)
    {
        for (int tries = 0; ; tries++)
        {
            using Lock.Scope alone = tries == MaxTries ? EnterAlone() : default;
            plans = [Plan(ignore, IpFamily.V4), Plan(ignore, IpFamily.V6), Plan(drop, IpFamily.V4), Plan(drop, IpFamily.V6)];
            plans[0].RequireRoomToOutlast(plans[2]);
            plans[1].RequireRoomToOutlast(plans[3]);
            using (EnterAlone())
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

    private SetSwapPlan Plan(SetImage image, IpFamily family)
    {
        RuleTable table = TableOf(image.Policy, family);
        SetSwapPlan plan;
        using (Enter())
        {
            table.Swap = plan = new SetSwapPlan(table, image, _tags[(int)image.Policy]);
        }

        bool more;
        int count;
        do
        {
            using (Enter())
            {
                more = plan.CompareSlice(CompareSlice);
                count = table.Entries.Count;
            }

            if (!_gate.IsHeldByCurrentThread)
            {
                BetweenSlices();
            }
        }
        while (more);
        plan.Arrange(count);
        return plan;
    }

    /// <summary>
    /// Additions to <c>ignore</c>, all of <c>drop</c>, removals from <c>ignore</c>: whatever a source loses in one table, the other
    /// has it already or still. In reverse this holds as well.
    /// </summary>
    private static Stage[] StagesOf(SetSwapPlan[] plans) =>
    [
        .. plans[..2].Select(plan => new Stage(plan, 0, plan.LastRemovals)),
        .. plans[2..].Select(plan => new Stage(plan, 0, plan.Steps.Count)),
        .. plans[..2].Select(plan => new Stage(plan, plan.LastRemovals, plan.Steps.Count)),
    ];

    private bool TryRun(Stage stage)
    {
        var batch = new RuleChange[Math.Min(SwapBatch, stage.End - stage.Start)];
        while (stage.Plan.Done < stage.End)
        {
            using (EnterAlone())
            {
                if (!TryRunBatch(stage.Plan, batch, stage.End))
                {
                    return false;
                }
            }

            BetweenSlices();
        }

        return true;
    }

    private bool TryRunBatch(SetSwapPlan plan, RuleChange[] batch, int end)
    {
        int count = Prepare(plan, batch, end);
        int applied = _plane.Apply(batch.AsSpan(0, count), out PlaneRefusal? refusal);
        for (int i = count - 1; i >= applied; i--)
        {
            Abandon(plan, plan.Steps[plan.Done + i], batch[i].Slot);
        }

        for (int i = 0; i < applied; i++)
        {
            Settle(plan, plan.Steps[plan.Done++], batch[i].Slot);
        }

        LastRefusal = applied < count ? refusal : LastRefusal;
        return applied == count;
    }

    /// <summary>Fills a batch with the next steps; additions take their slots now. Returns how many there are.</summary>
    private int Prepare(SetSwapPlan plan, Span<RuleChange> batch, int end)
    {
        RuleTable table = plan.RuleTable;
        NameTable tags = _tags[(int)table.Policy];
        Prefetch(plan, batch.Length);
        int n = 0;
        for (int i = plan.Done; n < batch.Length && i < end; i++)
        {
            SetSwapStep step = plan.Steps[i];
            if (step.Removes && !plan.TakesAway(step.Slot))
            {
                if (n > 0)
                {
                    break;
                }

                plan.Steps[plan.Done++] = SetSwapStep.None;
                continue;
            }

            Cidr cidr = plan.CidrOf(step);
            if (step.Removes)
            {
                batch[n++] = new RuleChange(RuleChangeKind.Remove, table.Policy, cidr, CounterOf(table.Entries[step.Slot].Tag), step.Slot);
                continue;
            }

            // Somebody may have added or removed it while the plan was made.
            int slot = table.Entries.Find(cidr);
            if (slot < 0 && table.Entries.Count >= table.Limit && n > 0)
            {
                break; // slots that this batch frees can be given away when it is done
            }

            plan.Steps[i] = SetSwapStep.Want(step.Rule, takesOver: slot >= 0);
            byte[] tag = plan.TagOf(step);
            int tagId = tags.Acquire(tag);
            slot = slot >= 0 ? slot : Insert(table, cidr, tagId, 0, new ChangeContext(ChangeOrigin.Set, tag));
            batch[n++] = new RuleChange(RuleChangeKind.Set, table.Policy, cidr, CounterOf(tagId), slot);
        }

        return n;
    }

    /// <summary>Takes back what <see cref="Prepare"/> did for a step that was not applied.</summary>
    private void Abandon(SetSwapPlan plan, SetSwapStep step, int slot)
    {
        if (step.Removes)
        {
            return;
        }

        if (step.TakesOver)
        {
            NameTable tags = _tags[(int)plan.RuleTable.Policy];
            tags.Release(tags.Find(plan.TagOf(step)));
        }
        else
        {
            Forget(plan.RuleTable, slot);
        }
    }

    /// <summary>Holds what the data plane has applied.</summary>
    private void Settle(SetSwapPlan plan, SetSwapStep step, int slot)
    {
        RuleTable table = plan.RuleTable;
        ref EntrySlot held = ref table.Entries[slot];
        if (step.Removes)
        {
            Entry gone = Read(table, slot);
            plan.Past.KeepGone(held);
            PartWithNames(plan, held);
            table.Remove(slot);
            PublishSwap(RuleEventKind.Deleted, table, gone);
            return;
        }

        if (step.TakesOver)
        {
            byte[] tag = plan.TagOf(step);
            plan.Past.KeepFormer(held);
            PartWithNames(plan, held);
            held.Tag = _tags[(int)table.Policy].Find(tag);
            held.Creator = _creators.Acquire(tag);
            held.Origin = ChangeOrigin.Set;
            held.Creation = (ulong)_time.GetUtcNow().ToUnixTimeSeconds();
            held.Expiration = 0;
            table.Expiry.Schedule(slot, long.MaxValue);
        }
        else
        {
            plan.Past.Added++;
        }

        PublishSwap(step.TakesOver ? RuleEventKind.Updated : RuleEventKind.Created, table, Read(table, slot));
    }

    private void PublishSwap(RuleEventKind kind, RuleTable table, in Entry entry) =>
        Publish(new RuleEvent(kind, table.Policy, entry, ChangeOrigin.Set, null));

    /// <summary>An entry lets go of its names; of each the swap keeps one hold.</summary>
    private void PartWithNames(SetSwapPlan plan, in EntrySlot held)
    {
        if (!plan.Past.Tags.Add(held.Tag))
        {
            _tags[(int)plan.RuleTable.Policy].Release(held.Tag);
        }

        if (!plan.Past.Creators.Add(held.Creator))
        {
            _creators.Release(held.Creator);
        }
    }

    private void ReleaseNames(SetSwapPlan plan)
    {
        using (Enter())
        {
            foreach (int tag in plan.Past.Tags)
            {
                _tags[(int)plan.RuleTable.Policy].Release(tag);
            }

            foreach (int creator in plan.Past.Creators)
            {
                _creators.Release(creator);
            }
        }
    }

    /// <summary>Steps of a plan that are carried out in one go.</summary>
    private readonly record struct Stage(SetSwapPlan Plan, int Start, int End);
}
