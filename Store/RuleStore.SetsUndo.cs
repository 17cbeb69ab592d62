namespace Couic.Store;

public sealed partial class RuleStore
{
    /// <summary>
    /// Takes a swap back, last step first; the feeds are told of each. A step that the data plane will not take back stays:
    /// what is held is what is enforced, also then.
    /// </summary>
    private SetReplacementResult Undo(SetSwapPlan[] plans)
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
        return new SetReplacementResult(SetReplacementStatus.Refused, default, default, message);
    }

    private bool TryUndo(SetSwapPlan plan, SetSwapStep step)
    {
        if (step.IsNone)
        {
            return true;
        }

        if (step.Removes)
        {
            return TryUndoRemove(plan.RuleTable, plan.Past.TakeGone());
        }

        Cidr cidr = plan.CidrOf(step);
        int slot = plan.RuleTable.Entries.Find(cidr);
        return step.TakesOver ? TryReturn(plan.RuleTable, slot, plan.Past.TakeFormer(cidr)) : TryUndoAdd(plan.RuleTable, slot);
    }

    private bool TryUndoAdd(RuleTable table, int slot)
    {
        Entry entry = Read(table, slot);
        if (!TryApply(new RuleChange(RuleChangeKind.Remove, table.Policy, entry.Cidr, CounterOf(table.Entries[slot].Tag), slot)))
        {
            return false;
        }

        Forget(table, slot);
        PublishSwap(RuleEventKind.Deleted, table, entry);
        return true;
    }

    /// <summary>Gives an entry that is there back what it was.</summary>
    private bool TryReturn(RuleTable table, int slot, in EntrySlot old)
    {
        if (!TryApply(new RuleChange(RuleChangeKind.Set, table.Policy, old.Cidr, CounterOf(old.Tag), slot)))
        {
            return false;
        }

        NameTable tags = _tags[(int)table.Policy];
        tags.Hold(old.Tag);
        tags.Release(table.Entries[slot].Tag);
        _creators.Hold(old.Creator);
        _creators.Release(table.Entries[slot].Creator);
        Restore(table, slot, old);

        // For who listens to sets, one that gives an entry back is gone from it.
        PublishSwap(old.Origin == ChangeOrigin.Set ? RuleEventKind.Updated : RuleEventKind.Deleted, table, Read(table, slot));
        return true;
    }

    private bool TryUndoRemove(RuleTable table, in EntrySlot old)
    {
        int slot = table.Entries.Find(old.Cidr);
        if (slot >= 0)
        {
            return TryReturn(table, slot, old); // somebody has added it since
        }

        slot = table.Insert(old.Cidr);
        if (!TryApply(new RuleChange(RuleChangeKind.Set, table.Policy, old.Cidr, CounterOf(old.Tag), slot)))
        {
            table.Remove(slot);
            return false;
        }

        _tags[(int)table.Policy].Hold(old.Tag);
        _creators.Hold(old.Creator);
        Restore(table, slot, old);
        PublishSwap(RuleEventKind.Created, table, Read(table, slot));
        return true;
    }

    /// <summary>Gives a slot its former content; its place in the table stays.</summary>
    private static void Restore(RuleTable table, int slot, in EntrySlot old)
    {
        ref EntrySlot held = ref table.Entries[slot];
        held.Tag = old.Tag;
        held.Creator = old.Creator;
        held.Origin = old.Origin;
        held.Creation = old.Creation;
        held.Expiration = old.Expiration;
        table.Expiry.Schedule(slot, old.Deadline);
    }
}
