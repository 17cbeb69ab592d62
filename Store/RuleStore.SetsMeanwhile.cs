namespace Couic.Store;

// Changes that come while a swap of sets is carried out. It is one step: they are behind all of it, also where it has not got
// to their network yet. What it will bring is a set's already, what it will take away is gone already. The packets see each
// change when the kernel has it, and in no order of these is a source uncovered that is listed before and after.
public sealed partial class RuleStore
{
    /// <summary>Adds a network that a swap has to do with; false when it has nothing to do with it.</summary>
    private bool TryAddBehind(
        SetSwapPlan swap, Cidr cidr, int slot, ReadOnlySpan<byte> tag, ulong expiration, ConflictMode mode, in ChangeContext context,
        out StoreOutcome outcome, out Entry entry)
    {
        if (swap.Brings(cidr))
        {
            entry = ReadBehind(swap, cidr, slot);
            outcome = mode switch
            {
                ConflictMode.Refuse => StoreOutcome.Conflict,
                ConflictMode.Extend => StoreOutcome.Unchanged,
                _ => StoreOutcome.OwnedBySet,
            };
            return true;
        }

        if (swap.TakesAway(slot))
        {
            outcome = Inherit(swap, slot, tag, expiration, context, out entry);
            return true;
        }

        (outcome, entry) = (default, default);
        return false;
    }

    /// <summary>Removes a network that a swap has to do with; false when it has nothing to do with it.</summary>
    private bool TryRemoveBehind(SetSwapPlan swap, Cidr cidr, int slot, out StoreOutcome outcome, out Entry entry)
    {
        if (swap.Brings(cidr))
        {
            entry = ReadBehind(swap, cidr, slot);
            outcome = StoreOutcome.OwnedBySet;
            return true;
        }

        entry = default;
        outcome = StoreOutcome.Absent;
        return swap.TakesAway(slot);
    }

    /// <summary>An entry of a set that is as good as there.</summary>
    private Entry ReadBehind(SetSwapPlan swap, Cidr cidr, int slot)
    {
        if (slot >= 0 && swap.RuleTable.Entries[slot].Origin == ChangeOrigin.Set)
        {
            return Read(swap.RuleTable, slot);
        }

        byte[] tag = swap.TagOf(cidr);
        return new Entry(cidr, (ulong)_time.GetUtcNow().ToUnixTimeSeconds(), 0, tag, tag, ChangeOrigin.Set, slot);
    }

    /// <summary>A new entry where that of a set is about to go: in its place, so that the network stays covered.</summary>
    private StoreOutcome Inherit(
        SetSwapPlan swap, int slot, ReadOnlySpan<byte> tag, ulong expiration, in ChangeContext context, out Entry entry)
    {
        RuleTable table = swap.RuleTable;
        Entry gone = Read(table, slot);
        entry = default;
        if (table.IsFull)
        {
            return StoreOutcome.Full;
        }

        NameTable tags = _tags[(int)table.Policy];
        int tagId = tags.Acquire(tag);
        if (!TryApply(new RuleChange(RuleChangeKind.Set, table.Policy, gone.Cidr, CounterOf(tagId), slot)))
        {
            tags.Release(tagId);
            return StoreOutcome.Refused;
        }

        Rewrite(table, slot, tagId, expiration, context);
        table.Entries[slot].Creation = (ulong)_time.GetUtcNow().ToUnixTimeSeconds();
        swap.OnAdded();
        entry = Read(table, slot);
        PublishSwap(RuleEventKind.Deleted, table, gone);
        Publish(new RuleEvent(RuleEventKind.Created, table.Policy, entry, context.Origin, context.Metadata));
        return StoreOutcome.Created;
    }
}
