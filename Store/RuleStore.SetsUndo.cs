namespace Couic.Store;

public sealed partial class RuleStore
{
    /// <summary>
    /// Takes a swap back, last step first. A step that the data plane will not take back stays, and the store says so and
    /// the feeds are told: what is held is what is enforced, also then.
    /// </summary>
    private SetSwapResult Undo(SetSwapPlan[] plans)
    {
        PlaneRefusal? cause = LastRefusal;
        int stuck = 0;
        foreach (SetSwapPlan plan in plans.Reverse())
        {
            while (plan.Done > 0)
            {
                stuck += TryUndo(plan, plan.Steps[--plan.Done]) ? 0 : 1;
            }
        }

        string message = $"the data plane refused: {cause?.Message}" + (stuck == 0 ? "" : $"; {stuck} changes could not be taken back");
        LastRefusal = cause;
        return new SetSwapResult(SetSwapStatus.Refused, default, default, message);
    }

    private bool TryUndo(SetSwapPlan plan, SetSwapStep step) => step.Kind switch
    {
        SetSwapKind.Add => TryUndoAdd(plan.Category, step.Slot),
        SetSwapKind.TakeOver => TryUndoTakeOver(plan.Category, step.Slot, plan.TakeOld()),
        _ => TryUndoRemove(plan.Category, plan.TakeOld()),
    };

    private bool TryUndoAdd(Category category, int slot)
    {
        Entry entry = Read(category, slot);
        if (!TryApply(new RuleChange(RuleChangeKind.Remove, category.Policy, entry.Cidr, CounterOf(category.Entries[slot].Tag), slot)))
        {
            PublishSwap(RuleEventKind.Created, category, entry);
            return false;
        }

        Forget(category, slot);
        return true;
    }

    private bool TryUndoTakeOver(Category category, int slot, in EntryTable.Slot old)
    {
        if (!TryApply(new RuleChange(RuleChangeKind.Set, category.Policy, old.Cidr, CounterOf(old.Tag), slot)))
        {
            PublishSwap(RuleEventKind.Updated, category, Read(category, slot));
            ReleaseNames(category, old);
            return false;
        }

        ReleaseNames(category, category.Entries[slot]);
        Restore(category, slot, old);
        return true;
    }

    private bool TryUndoRemove(Category category, in EntryTable.Slot old)
    {
        int slot = category.Entries.Insert(old.Cidr);
        category.PerLength[old.Length]++;
        Restore(category, slot, old);
        if (!TryApply(new RuleChange(RuleChangeKind.Set, category.Policy, old.Cidr, CounterOf(old.Tag), slot)))
        {
            PublishSwap(RuleEventKind.Deleted, category, Read(category, slot));
            Forget(category, slot);
            return false;
        }

        return true;
    }

    /// <summary>Gives a slot its former content; its place in the table stays.</summary>
    private static void Restore(Category category, int slot, in EntryTable.Slot old)
    {
        ref EntryTable.Slot held = ref category.Entries[slot];
        held.Tag = old.Tag;
        held.Creator = old.Creator;
        held.Origin = old.Origin;
        held.Creation = old.Creation;
        held.Expiration = old.Expiration;
        category.Expiry.Schedule(slot, old.Deadline);
    }
}
