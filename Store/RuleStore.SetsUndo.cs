namespace Couic.Store;

public sealed partial class RuleStore
{
    /// <summary>
    /// Takes a swap back, last step first; the feeds are told of each. A step that the data plane will not take back stays:
    /// what is held is what is enforced, also then.
    /// </summary>
    private SetSwapResult Undo(SetSwapPlan[] plans)
    {
        PlaneRefusal? cause = LastRefusal;
        using (Enter())
        {
            Array.ForEach(plans, plan => plan.IsRunning = false);
        }

        int stuck = 0;
        foreach ((SetSwapPlan plan, int start, _) in StagesOf(plans).Reverse())
        {
            while (plan.Done > start)
            {
                using (EnterAlone())
                {
                    for (int i = 0; i < SwapBatch && plan.Done > start; i++)
                    {
                        stuck += TryUndo(plan, plan.Steps[--plan.Done]) ? 0 : 1;
                    }
                }

                BetweenSlices();
            }
        }

        string message = $"the data plane refused: {cause?.Message}" + (stuck == 0 ? "" : $"; {stuck} changes could not be taken back");
        LastRefusal = cause;
        return new SetSwapResult(SetSwapStatus.Refused, default, default, message);
    }

    private bool TryUndo(SetSwapPlan plan, SetSwapStep step)
    {
        if (step.IsNone)
        {
            return true;
        }

        if (step.Removes)
        {
            return TryUndoRemove(plan.Category, plan.Past.TakeGone());
        }

        Cidr cidr = plan.CidrOf(step);
        int slot = plan.Category.Entries.Find(cidr);
        return step.TakesOver ? TryReturn(plan.Category, slot, plan.Past.TakeFormer(cidr)) : TryUndoAdd(plan.Category, slot);
    }

    private bool TryUndoAdd(Category category, int slot)
    {
        Entry entry = Read(category, slot);
        if (!TryApply(new RuleChange(RuleChangeKind.Remove, category.Policy, entry.Cidr, CounterOf(category.Entries[slot].Tag), slot)))
        {
            return false;
        }

        Forget(category, slot);
        PublishSwap(RuleEventKind.Deleted, category, entry);
        return true;
    }

    /// <summary>Gives an entry that is there back what it was.</summary>
    private bool TryReturn(Category category, int slot, in EntryTable.Slot old)
    {
        if (!TryApply(new RuleChange(RuleChangeKind.Set, category.Policy, old.Cidr, CounterOf(old.Tag), slot)))
        {
            return false;
        }

        NameTable tags = _tags[(int)category.Policy];
        tags.Hold(old.Tag);
        tags.Release(category.Entries[slot].Tag);
        _creators.Hold(old.Creator);
        _creators.Release(category.Entries[slot].Creator);
        Restore(category, slot, old);

        // For who listens to sets, one that gives an entry back is gone from it.
        PublishSwap(old.Origin == ChangeOrigin.Set ? RuleEventKind.Updated : RuleEventKind.Deleted, category, Read(category, slot));
        return true;
    }

    private bool TryUndoRemove(Category category, in EntryTable.Slot old)
    {
        int slot = category.Entries.Find(old.Cidr);
        if (slot >= 0)
        {
            return TryReturn(category, slot, old); // somebody has added it since
        }

        if (!TryApply(new RuleChange(RuleChangeKind.Set, category.Policy, old.Cidr, CounterOf(old.Tag), category.Entries.NextSlot)))
        {
            return false;
        }

        slot = category.Entries.Insert(old.Cidr);
        category.PerLength[old.Length]++;
        _tags[(int)category.Policy].Hold(old.Tag);
        _creators.Hold(old.Creator);
        Restore(category, slot, old);
        PublishSwap(RuleEventKind.Created, category, Read(category, slot));
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
