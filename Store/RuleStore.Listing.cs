namespace Couic.Store;

public sealed partial class RuleStore
{
    /// <summary>Slots that are copied under the lock at a time, so that a listing of a full table holds up no change for long.</summary>
    private const int ListingSlice = 2048;

    /// <summary>
    /// The live entries of one policy, in order: IPv4 first, by address, then length. An entry that is there all the time is
    /// in it once; one that comes or goes meanwhile may be.
    /// </summary>
    public Listing List(Policy policy)
    {
        var listing = new Listing(Count(policy));
        foreach (IpFamily family in (ReadOnlySpan<IpFamily>)[IpFamily.V4, IpFamily.V6])
        {
            int slot = 0;
            while (CopySlice(CategoryOf(policy, family), ref slot, listing))
            {
                GiveWay();
            }
        }

        listing.Sort();
        return listing;
    }

    /// <summary>The entries of one policy that cover an address or block, longest prefix first.</summary>
    public Listing ListCovering(Policy policy, Cidr address)
    {
        List<Entry> covering = Covering(policy, address);
        var listing = new Listing(covering.Count);
        foreach (Entry entry in covering)
        {
            listing.Add(new ListedEntry(entry.Cidr, entry.Creation, entry.Expiration, listing.Place(entry.Tag.ToArray())));
        }

        return listing;
    }

    private bool CopySlice(Category category, ref int slot, Listing listing)
    {
        using (Enter())
        {
            NameTable tags = _tags[(int)category.Policy];
            int end = Math.Min(slot + ListingSlice, category.Entries.Used);
            for (; slot < end; slot++)
            {
                ref EntryTable.Slot held = ref category.Entries[slot];
                if (held.InUse && !IsOver(ref held))
                {
                    listing.Add(new ListedEntry(held.Cidr, held.Creation, held.Expiration, listing.Place(tags.Utf8(held.Tag), held.Tag)));
                }
            }

            return slot < category.Entries.Used;
        }
    }
}
