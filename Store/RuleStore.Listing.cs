namespace Couic.Store;

public sealed partial class RuleStore
{
    /// <summary>Slots that are copied under the lock at a time, so that a listing of a full table holds up no change for long.</summary>
    private const int ListingSlice = 2048;

    /// <summary>
    /// The live entries of one policy, in order: IPv4 first, by address, then length. An entry that is there all the time is
    /// in it once; one that comes or goes meanwhile may be.
    /// </summary>
    public ListedEntry[] List(Policy policy)
    {
        var rows = new ListedEntry[Count(policy) + ListingSlice];
        int count = 0;
        foreach (IpFamily family in (ReadOnlySpan<IpFamily>)[IpFamily.V4, IpFamily.V6])
        {
            int slot = 0;
            while (TryCopySlice(CategoryOf(policy, family), ref slot, rows, ref count))
            {
                if (count > rows.Length - ListingSlice)
                {
                    Array.Resize(ref rows, (rows.Length * 3 / 2) + ListingSlice);
                }
            }
        }

        rows.AsSpan(0, count).Sort(ListedEntry.Order);
        return rows[..Deduplicate(rows, count)];
    }

    private bool TryCopySlice(Category category, ref int slot, ListedEntry[] rows, ref int count)
    {
        lock (_gate)
        {
            NameTable tags = _tags[(int)category.Policy];
            int end = Math.Min(slot + ListingSlice, category.Entries.Used);
            for (; slot < end; slot++)
            {
                ref EntryTable.Slot held = ref category.Entries[slot];
                if (held.InUse && !IsOver(ref held))
                {
                    rows[count++] = new ListedEntry(held.Cidr, held.Creation, held.Expiration, tags.Utf8(held.Tag), _creators.Utf8(held.Creator), slot);
                }
            }

            return slot < category.Entries.Used;
        }
    }

    /// <summary>An entry that was removed and added again between two slices can be there twice.</summary>
    private static int Deduplicate(ListedEntry[] rows, int count)
    {
        int kept = 0;
        for (int i = 0; i < count; i++)
        {
            if (kept > 0 && rows[kept - 1].Cidr == rows[i].Cidr)
            {
                kept--;
            }

            rows[kept++] = rows[i];
        }

        return kept;
    }
}
