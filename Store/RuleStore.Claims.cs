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
            return RemoveUnderAlone(CategoryOf(policy, cidr.Family), cidr.Network, tag, context, out entry);
        }
    }

    /// <summary>The networks on which a tag has a claim.</summary>
    public List<Cidr> NetworksUnder(Policy policy, byte[] tag)
    {
        var found = new List<Cidr>();
        foreach (IpFamily family in (ReadOnlySpan<IpFamily>)[IpFamily.V4, IpFamily.V6])
        {
            Category category = CategoryOf(policy, family);
            using (Enter())
            {
                found.AddRange(category.Claims.SlotsUnder(tag).Select(slot => category.Entries[slot].Cidr));
            }

            int slot = 0;
            while (CopySliceUnder(category, ref slot, tag, found))
            {
                GiveWay();
            }
        }

        return found;
    }

    private bool CopySliceUnder(Category category, ref int slot, byte[] tag, List<Cidr> found)
    {
        using (Enter())
        {
            int id = _tags[(int)category.Policy].Find(tag);
            int end = Math.Min(slot + ListingSlice, category.Entries.Used);
            for (; slot < end; slot++)
            {
                ref EntryTable.Slot held = ref category.Entries[slot];
                if (held.InUse && held.Tag == id && held.Origin != ChangeOrigin.Set)
                {
                    found.Add(held.Cidr);
                }
            }

            return slot < category.Entries.Used;
        }
    }

    private StoreOutcome RemoveUnderAlone(Category category, Cidr cidr, ReadOnlySpan<byte> tag, in ChangeContext context, out Entry entry)
    {
        int slot = FindLive(category, cidr);
        if (category.Swap is { } swap && TryRemoveBehind(swap, cidr, slot, out StoreOutcome outcome, out entry))
        {
            return outcome == StoreOutcome.OwnedBySet ? StoreOutcome.Conflict : outcome;
        }

        entry = slot < 0 ? default : Read(category, slot);
        if (slot < 0)
        {
            return StoreOutcome.Absent;
        }

        if (entry.IsOfSet || !entry.Tag.Span.SequenceEqual(tag))
        {
            return !entry.IsOfSet && category.Claims.Remove(slot, tag) ? StoreOutcome.Unchanged : StoreOutcome.Conflict;
        }

        if (category.Claims.TryFindLongest(slot, _time.GetTimestamp(), out Claim next))
        {
            return TryGiveWay(category, slot, next, context, ref entry) ? StoreOutcome.Updated : StoreOutcome.Refused;
        }

        return TryRemoveSlot(category, slot, RuleEventKind.Deleted, context.Origin, context.Metadata, out entry)
            ? StoreOutcome.Removed
            : StoreOutcome.Refused;
    }

    /// <summary>Adds a claim to an entry that is there: the longer one shows.</summary>
    private StoreOutcome Extend(
        Category category, int slot, ReadOnlySpan<byte> tag, ulong expiration, in ChangeContext context, ref Entry entry)
    {
        if (entry.IsOfSet)
        {
            return StoreOutcome.Unchanged; // it never expires
        }

        long deadline = DeadlineOf(expiration, context.Left);
        bool isLonger = deadline > category.Entries[slot].Deadline;
        bool sameTag = entry.Tag.Span.SequenceEqual(tag);
        if (!isLonger)
        {
            if (!sameTag)
            {
                category.Claims.Add(slot, new Claim(tag.ToArray(), context.Creator.ToArray(), context.Origin, expiration, deadline));
            }

            return StoreOutcome.Unchanged;
        }

        var shown = new Claim(entry.Tag.ToArray(), entry.Creator.ToArray(), category.Entries[slot].Origin, entry.Expiration, category.Entries[slot].Deadline);
        if (!TryShow(category, slot, tag, expiration, context, ref entry))
        {
            return StoreOutcome.Refused;
        }

        if (!sameTag)
        {
            category.Claims.Remove(slot, tag);
            category.Claims.Add(slot, shown);
        }

        return StoreOutcome.Updated;
    }

    /// <summary>The entry shows the next claim in place of the one that is removed.</summary>
    private bool TryGiveWay(Category category, int slot, in Claim next, in ChangeContext context, ref Entry entry)
    {
        TimeSpan? left = next.Expiration == 0 ? null : _time.GetElapsedTime(_time.GetTimestamp(), next.Deadline);
        if (!TryShow(category, slot, next.Tag, next.Expiration, new ChangeContext(next.Origin, next.Creator, context.Metadata, left), ref entry, context.Origin))
        {
            return false;
        }

        category.Claims.Remove(slot, next.Tag);
        return true;
    }

    private bool TryShow(
        Category category, int slot, ReadOnlySpan<byte> tag, ulong expiration, in ChangeContext context, ref Entry entry, ChangeOrigin? by = null)
    {
        NameTable tags = _tags[(int)category.Policy];
        int tagId = tags.Acquire(tag);
        if (tagId != category.Entries[slot].Tag
            && !TryApply(new RuleChange(RuleChangeKind.Set, category.Policy, entry.Cidr, CounterOf(tagId), slot)))
        {
            tags.Release(tagId);
            return false;
        }

        Rewrite(category, slot, tagId, expiration, context);
        entry = Read(category, slot);
        Publish(new RuleEvent(RuleEventKind.Updated, category.Policy, entry, by ?? context.Origin, context.Metadata));
        return true;
    }
}
