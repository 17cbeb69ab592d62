namespace Couic.Store;

public sealed partial class RuleStore
{
    /// <summary>Slots that are read under the lock at a time: random reads, of a tenth of a microsecond each.</summary>
    private const int PageSlice = 256;

    private readonly Lock _sorting = new();

    /// <summary>
    /// The next live entries of one policy in the order of <see cref="List"/>, at the cost of what is listed. Null when so much is changing
    /// that the whole list is to be had more cheaply.
    /// </summary>
    /// <param name="after">The last network seen; null to begin with.</param>
    /// <param name="limit">Entries at most.</param>
    /// <param name="wanted">Which tags; null for all.</param>
    public Listing? ListPage(Policy policy, Cidr? after, int limit, Predicate<byte[]>? wanted)
    {
        var page = new Listing(Math.Min(limit, PageSlice));
        var slots = new List<int>(PageSlice);
        foreach (IpFamily family in (ReadOnlySpan<IpFamily>)[IpFamily.V4, IpFamily.V6])
        {
            if (after is { } last && last.Family > family)
            {
                continue;
            }

            Category category = CategoryOf(policy, family);
            Cidr? cursor = after is { } seen && seen.Family == family ? seen : null;
            while (page.Count < limit && ReadSlice(category, ref cursor, slots, page, limit, wanted) is var read && read != PageStep.End)
            {
                if (read == PageStep.NoOrder && !TrySort(category))
                {
                    page.Dispose();
                    return null;
                }

                GiveWay();
            }
        }

        return page;
    }

    private enum PageStep : byte
    {
        More,
        End,
        NoOrder,
    }

    private PageStep ReadSlice(Category category, ref Cidr? cursor, List<int> slots, Listing page, int limit, Predicate<byte[]>? wanted)
    {
        using (Enter())
        {
            if (category.Entries.Sorted is not { IsReady: true } sorted)
            {
                return PageStep.NoOrder;
            }

            NameTable tags = _tags[(int)category.Policy];
            sorted.Read(category.Entries, cursor, PageSlice, slots);
            foreach (int slot in slots)
            {
                ref EntryTable.Slot held = ref category.Entries[slot];
                cursor = held.Cidr;
                byte[] tag = tags.Utf8(held.Tag);
                if (page.Count < limit && !IsOver(ref held) && (wanted is null || wanted(tag)))
                {
                    page.Add(new ListedEntry(held.Cidr, held.Creation, held.Expiration, page.Place(tag, held.Tag)));
                }
            }

            return slots.Count < PageSlice ? PageStep.End : PageStep.More;
        }
    }

    /// <summary>Puts a table's slots in order, most of it without the lock. False when too many of them changed meanwhile.</summary>
    private bool TrySort(Category category)
    {
        lock (_sorting)
        {
            EntryTable entries = category.Entries;
            var sorted = new SortedSlots(entries.Limit);
            using (Enter())
            {
                if (entries.Sorted is { IsReady: true })
                {
                    return true;
                }

                entries.Sorted = sorted; // notes changes from here on
            }

            List<(Cidr Network, int Slot)> found = CopyNetworks(entries);
            found.Sort(static (a, b) => a.Network.CompareTo(b.Network));
            int[] slots = [.. found.Select(one => one.Slot)];
            using (Enter())
            {
                sorted.Begin(slots);
                return entries.Sorted == sorted;
            }
        }
    }

    private List<(Cidr Network, int Slot)> CopyNetworks(EntryTable entries)
    {
        var found = new List<(Cidr, int)>(entries.Count);
        int slot = 0;
        while (true)
        {
            using (Enter())
            {
                int end = Math.Min(slot + ListingSlice, entries.Used);
                for (; slot < end; slot++)
                {
                    if (entries[slot].InUse)
                    {
                        found.Add((entries[slot].Cidr, slot));
                    }
                }

                if (slot >= entries.Used)
                {
                    return found;
                }
            }

            GiveWay();
        }
    }
}
