namespace Couic.Store;

// Several tags may want one network at a time (ConflictMode.Extend). The entry shows the claim that lasts longest, the others are
// kept beside it: a removal under one tag gives way to the next claim, and only the last one's removes the entry.
public sealed partial class RuleStore
{
    /// <summary>Removes what a tag claims of a network. An entry that other tags claim too stays, and shows the longest of these.</summary>
    /// <param name="entry">The entry as it is afterwards, or as it was when it went.</param>
    /// <returns>
    /// <see cref="StoreOutcome.Removed"/>; <see cref="StoreOutcome.Updated"/> or <see cref="StoreOutcome.Unchanged"/> when the entry stays under
    /// another tag; <see cref="StoreOutcome.Conflict"/> when this tag has no claim on it.
    /// </returns>
    public StoreOutcome RemoveUnder(Policy policy, Cidr cidr, ReadOnlySpan<byte> tag, in ChangeContext context, out Entry entry)
    {
        using (EnterAlone())
        {
            return RemoveUnderAlone(TableOf(policy, cidr.Family), cidr.Network, tag, context, out entry);
        }
    }

    /// <summary>The networks on which a tag has a claim.</summary>
    public List<Cidr> NetworksUnder(Policy policy, byte[] tag)
    {
        var found = new List<Cidr>();
        foreach (IpFamily family in (ReadOnlySpan<IpFamily>)[IpFamily.V4, IpFamily.V6])
        {
            RuleTable table = TableOf(policy, family);
            using (Enter())
            {
                found.AddRange(table.Claims.SlotsUnder(tag).Select(slot => table.Entries[slot].Cidr));
            }

            int slot = 0;
            while (CopySliceUnder(table, ref slot, tag, found))
            {
                GiveWay();
            }
        }

        return found;
    }

    private bool CopySliceUnder(RuleTable table, ref int slot, byte[] tag, List<Cidr> found)
    {
        using (Enter())
        {
            int id = _tags[(int)table.Policy].Find(tag);
            int end = Math.Min(slot + ListingSlice, table.Entries.Used);
            for (; slot < end; slot++)
            {
                ref EntrySlot held = ref table.Entries[slot];
                if (held.InUse && held.Tag == id && held.Origin != ChangeOrigin.Set)
                {
                    found.Add(held.Cidr);
                }
            }

            return slot < table.Entries.Used;
        }
    }

    private StoreOutcome RemoveUnderAlone(RuleTable table, Cidr cidr, ReadOnlySpan<byte> tag, in ChangeContext context, out Entry entry)
    {
        int slot = FindLive(table, cidr);
        if (table.Swap is { } swap && TryRemoveBehind(swap, cidr, slot, out StoreOutcome outcome, out entry))
        {
            return outcome == StoreOutcome.OwnedBySet ? StoreOutcome.Conflict : outcome;
        }

        entry = slot < 0 ? default : Read(table, slot);
        if (slot < 0)
        {
            return StoreOutcome.Absent;
        }

        if (entry.IsOfSet || !entry.Tag.Span.SequenceEqual(tag))
        {
            return !entry.IsOfSet && table.Claims.Remove(slot, tag) ? StoreOutcome.Unchanged : StoreOutcome.Conflict;
        }

        if (table.Claims.TryFindLongest(slot, _time.GetTimestamp(), out Claim next))
        {
            return TryGiveWay(table, slot, next, context, ref entry) ? StoreOutcome.Updated : StoreOutcome.Refused;
        }

        return TryRemoveSlot(table, slot, RuleEventKind.Deleted, context.Origin, context.Metadata, out entry)
            ? StoreOutcome.Removed
            : StoreOutcome.Refused;
    }

    /// <summary>Adds a claim to an entry that is there: the longer one shows.</summary>
    private StoreOutcome Extend(
        RuleTable table, int slot, ReadOnlySpan<byte> tag, ulong expiration, in ChangeContext context, ref Entry entry)
    {
        if (entry.IsOfSet)
        {
            return StoreOutcome.Unchanged; // it never expires
        }

        long deadline = DeadlineOf(expiration, context.Left);
        bool isLonger = deadline > table.Entries[slot].Deadline;
        bool sameTag = entry.Tag.Span.SequenceEqual(tag);
        if (!isLonger)
        {
            if (!sameTag)
            {
                table.Claims.Add(slot, new Claim(tag.ToArray(), context.Creator.ToArray(), context.Origin, expiration, deadline));
            }

            return StoreOutcome.Unchanged;
        }

        var shown = new Claim(entry.Tag.ToArray(), entry.Creator.ToArray(), table.Entries[slot].Origin, entry.Expiration, table.Entries[slot].Deadline);
        if (!TryShow(table, slot, tag, expiration, context, ref entry))
        {
            return StoreOutcome.Refused;
        }

        if (!sameTag)
        {
            table.Claims.Remove(slot, tag);
            table.Claims.Add(slot, shown);
        }

        return StoreOutcome.Updated;
    }

    /// <summary>The entry shows the next claim in place of the one that is removed.</summary>
    private bool TryGiveWay(RuleTable table, int slot, in Claim next, in ChangeContext context, ref Entry entry)
    {
        TimeSpan? left = next.Expiration == 0 ? null : _time.GetElapsedTime(_time.GetTimestamp(), next.Deadline);
        if (!TryShow(table, slot, next.Tag, next.Expiration, new ChangeContext(next.Origin, next.Creator, context.Metadata, left), ref entry, context.Origin))
        {
            return false;
        }

        table.Claims.Remove(slot, next.Tag);
        return true;
    }

    private bool TryShow(
        RuleTable table, int slot, ReadOnlySpan<byte> tag, ulong expiration, in ChangeContext context, ref Entry entry, ChangeOrigin? by = null)
    {
        NameTable tags = _tags[(int)table.Policy];
        int tagId = tags.Acquire(tag);
        if (tagId != table.Entries[slot].Tag
            && !TryApply(new RuleChange(RuleChangeKind.Set, table.Policy, entry.Cidr, CounterOf(tagId), slot)))
        {
            tags.Release(tagId);
            return false;
        }

        Rewrite(table, slot, tagId, expiration, context);
        entry = Read(table, slot);
        Publish(new RuleEvent(RuleEventKind.Updated, table.Policy, entry, by ?? context.Origin, context.Metadata));
        return true;
    }
}
