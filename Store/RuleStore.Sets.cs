using System.Runtime.InteropServices;

namespace Couic.Store;

public sealed partial class RuleStore
{
    /// <summary>Changes that go to the data plane in one call: what amortises a system call, and bounds the memory.</summary>
    private const int SwapBatch = 1024;

    /// <summary>Entries that are compared under one hold of the lock: a fraction of a millisecond.</summary>
    private const int CompareSlice = 2048;

    /// <summary>One swap at a time; taken before the store's own lock.</summary>
    private readonly Lock _swapGate = new();

    /// <summary>
    /// Makes the entries of sets exactly those of the images, in one step that no other change interleaves: what is there
    /// under its tag stays as it is, what is there under another tag is taken over (no expiry, creation now), the rest is
    /// added, and set entries that nobody wants any more go. `ignore` comes before `drop`. All of it happens or nothing.
    /// </summary>
    public SetSwapResult ReplaceSets(SetImage ignore, SetImage drop)
    {
        if (ignore.Policy != Policy.Ignore || drop.Policy != Policy.Drop)
        {
            throw new ArgumentException("one image for each policy, ignore first", nameof(ignore));
        }

        ignore.Sort();
        drop.Sort();
        lock (_swapGate)
        {
            SetSwapPlan[] plans = [
                Compare(ignore, IpFamily.V4), Compare(ignore, IpFamily.V6), Compare(drop, IpFamily.V4), Compare(drop, IpFamily.V6)];
            lock (_gate)
            {
                return Swap(plans);
            }
        }
    }

    private SetSwapPlan Compare(SetImage image, IpFamily family)
    {
        Category category = CategoryOf(image.Policy, family);
        SetSwapPlan plan;
        lock (_gate)
        {
            plan = new SetSwapPlan(category, image, _tags[(int)image.Policy]);
        }

        bool more;
        do
        {
            lock (_gate)
            {
                more = plan.CompareSlice(CompareSlice);
            }
        }
        while (more);
        return plan;
    }

    private SetSwapResult Swap(SetSwapPlan[] plans)
    {
        foreach (SetSwapPlan plan in plans)
        {
            while (IsDue(plan.Category) && TryExpireFirst(plan.Category))
            {
                // What has expired takes no room and is not taken over.
            }

            plan.Confirm();
            if (plan.Arrange() is { } obstacle)
            {
                return new SetSwapResult(obstacle.Status, default, default, obstacle.Message);
            }
        }

        return Array.TrueForAll(plans, TryRun) ? Commit(plans) : Undo(plans);
    }

    private bool TryRun(SetSwapPlan plan)
    {
        var batch = new RuleChange[Math.Min(SwapBatch, plan.Steps.Count)];
        while (plan.Done < plan.Steps.Count)
        {
            int count = Prepare(plan, batch);
            int applied = _plane.Apply(batch.AsSpan(0, count), out PlaneRefusal? refusal);
            for (int i = plan.Done + count - 1; i >= plan.Done + applied; i--)
            {
                Abandon(plan, plan.Steps[i]);
            }

            for (int i = 0; i < applied; i++)
            {
                Settle(plan, plan.Steps[plan.Done++]);
            }

            if (applied < count)
            {
                LastRefusal = refusal;
                return false;
            }
        }

        return true;
    }

    /// <summary>Fills a batch with the next steps; additions take their slots now. Returns how many there are.</summary>
    private int Prepare(SetSwapPlan plan, Span<RuleChange> batch)
    {
        Category category = plan.Category;
        NameTable tags = _tags[(int)category.Policy];
        int n = 0;
        for (int i = plan.Done; n < batch.Length && i < plan.Steps.Count; i++)
        {
            SetSwapStep step = plan.Steps[i];
            if (step.Kind == SetSwapKind.Add && category.IsFull && n > 0)
            {
                break; // slots that this batch frees can be given away when it is done
            }

            Cidr cidr = plan.CidrOf(step);
            if (step.Kind == SetSwapKind.Remove)
            {
                batch[n++] = new RuleChange(RuleChangeKind.Remove, category.Policy, cidr, CounterOf(category.Entries[step.Slot].Tag), step.Slot);
                continue;
            }

            byte[] tag = plan.TagOf(step);
            int tagId = tags.Acquire(tag);
            int slot = step.Slot;
            if (step.Kind == SetSwapKind.Add)
            {
                slot = Insert(category, cidr, tagId, 0, new ChangeContext(ChangeOrigin.Set, tag));
                plan.Steps[i] = step with { Slot = slot };
            }

            batch[n++] = new RuleChange(RuleChangeKind.Set, category.Policy, cidr, CounterOf(tagId), slot);
        }

        return n;
    }

    /// <summary>Takes back what <see cref="Prepare"/> did for a step that was not applied.</summary>
    private void Abandon(SetSwapPlan plan, SetSwapStep step)
    {
        if (step.Kind == SetSwapKind.Add)
        {
            Forget(plan.Category, step.Slot);
        }
        else if (step.Kind == SetSwapKind.TakeOver)
        {
            NameTable tags = _tags[(int)plan.Category.Policy];
            tags.Release(tags.Find(plan.TagOf(step)));
        }
    }

    /// <summary>Holds what the data plane has applied; the names of what went stay held until the end.</summary>
    private void Settle(SetSwapPlan plan, SetSwapStep step)
    {
        if (step.Kind == SetSwapKind.Add)
        {
            return;
        }

        Category category = plan.Category;
        ref EntryTable.Slot held = ref category.Entries[step.Slot];
        plan.Olds.Add(held);
        if (step.Kind == SetSwapKind.Remove)
        {
            Detach(category, step.Slot);
            return;
        }

        byte[] tag = plan.TagOf(step);
        held.Tag = _tags[(int)category.Policy].Find(tag);
        held.Creator = _creators.Acquire(tag);
        held.Origin = ChangeOrigin.Set;
        held.Creation = (ulong)_time.GetUtcNow().ToUnixTimeSeconds();
        held.Expiration = 0;
        category.Expiry.Schedule(step.Slot, long.MaxValue);
    }

    private SetSwapResult Commit(SetSwapPlan[] plans)
    {
        foreach (SetSwapPlan plan in plans)
        {
            Span<EntryTable.Slot> olds = CollectionsMarshal.AsSpan(plan.Olds);
            int next = 0;
            foreach (SetSwapStep step in plan.Steps)
            {
                if (step.Kind == SetSwapKind.Add)
                {
                    PublishSwap(RuleEventKind.Created, plan.Category, Read(plan.Category, step.Slot));
                    continue;
                }

                ref EntryTable.Slot old = ref olds[next++];
                bool removed = step.Kind == SetSwapKind.Remove;
                PublishSwap(
                    removed ? RuleEventKind.Deleted : RuleEventKind.Updated,
                    plan.Category,
                    removed ? Read(plan.Category, old, step.Slot) : Read(plan.Category, step.Slot));
                ReleaseNames(plan.Category, old);
            }
        }

        return new SetSwapResult(SetSwapStatus.Done, plans[0].Counts + plans[1].Counts, plans[2].Counts + plans[3].Counts);
    }

    private void PublishSwap(RuleEventKind kind, Category category, in Entry entry) =>
        Publish(new RuleEvent(kind, category.Policy, entry, ChangeOrigin.Set, null));

    private void ReleaseNames(Category category, in EntryTable.Slot old)
    {
        _tags[(int)category.Policy].Release(old.Tag);
        _creators.Release(old.Creator);
    }

    /// <summary>Takes an entry out of the table and leaves its names held.</summary>
    private static void Detach(Category category, int slot)
    {
        category.PerLength[category.Entries[slot].Length]--;
        category.Expiry.Unschedule(slot);
        category.Entries.Remove(slot);
    }
}
