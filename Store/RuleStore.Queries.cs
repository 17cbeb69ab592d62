namespace Couic.Store;

public sealed partial class RuleStore
{
    /// <summary>Slots that are copied under the lock at a time, so that a listing of a full table delays no change for long.</summary>
    private const int ListingSlice = 2048;

    /// <summary>Slots that are read under the lock at a time: random reads, of a tenth of a microsecond each.</summary>
    private const int PageSlice = 256;

    private readonly Lock _sorting = new();

    /// <summary>The entry of exactly this network (host bits are cleared), unless it has expired.</summary>
    public bool TryGet(Policy policy, Cidr cidr, out Entry entry)
    {
        using (Enter())
        {
            RuleTable table = Tables[policy, cidr.Family];
            int slot = Tables.FindLive(table, cidr.Network);
            entry = slot < 0 ? default : Tables.Read(table, slot);
            return slot >= 0;
        }
    }

    /// <summary>The entries of one policy that cover an address or block, longest prefix first.</summary>
    public List<Entry> Covering(Policy policy, Cidr address)
    {
        var found = new List<Entry>();
        using (Enter())
        {
            RuleTable table = Tables[policy, address.Family];
            for (int length = address.Length; length >= 0; length--)
            {
                int slot = table.PerLength[length] == 0 ? -1 : Tables.FindLive(table, address.WithLength(length));
                if (slot >= 0)
                {
                    found.Add(Tables.Read(table, slot));
                }
            }
        }

        return found;
    }

    /// <summary>The longest entry of one policy that covers a whole network. Allocates nothing.</summary>
    public bool TryFindCovering(Policy policy, Cidr network, out Cidr covering)
    {
        RuleTable table = Tables[policy, network.Family];
        covering = default;
        if (table.Entries.Count == 0)
        {
            return false; // the usual case for ignore; does not wait for the lock
        }

        using (Enter())
        {
            for (int length = network.Length; length >= 0; length--)
            {
                covering = network.WithLength(length);
                if (table.PerLength[length] > 0 && Tables.FindLive(table, covering) >= 0)
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>Entries of one policy and family, including expired ones that the timer has not removed.</summary>
    public int Count(Policy policy, IpFamily family)
    {
        using (Enter())
        {
            return Tables[policy, family].Entries.Count;
        }
    }

    /// <summary>Entries of one policy, both families.</summary>
    public int Count(Policy policy) => Count(policy, IpFamily.V4) + Count(policy, IpFamily.V6);

    /// <summary>
    /// The networks of one policy in order: IPv4 first, by address, then length. A caller reads their entries in batches, so that no lock is
    /// held for long and only the keys take memory.
    /// </summary>
    public Cidr[] SortedNetworks(Policy policy)
    {
        Cidr[] networks;
        using (Enter())
        {
            RuleTable v4 = Tables[policy, IpFamily.V4], v6 = Tables[policy, IpFamily.V6];
            networks = new Cidr[v4.Entries.Count + v6.Entries.Count];
            CopyNetworks(v4, networks);
            CopyNetworks(v6, networks.AsSpan(v4.Entries.Count));
        }

        Array.Sort(networks); // without the lock: it takes the longest
        return networks;
    }

    /// <summary>Reads those entries of these networks that still exist. Returns how many.</summary>
    public int Read(Policy policy, ReadOnlySpan<Cidr> networks, Span<Entry> entries)
    {
        int n = 0;
        using (Enter())
        {
            foreach (Cidr cidr in networks)
            {
                RuleTable table = Tables[policy, cidr.Family];
                int slot = Tables.FindLive(table, cidr);
                if (slot >= 0)
                {
                    entries[n++] = Tables.Read(table, slot);
                }
            }
        }

        return n;
    }

    /// <summary>
    /// The tags of one policy that are in use or were since the start, with the index of their counter; untagged (index 0)
    /// comes first. Tags beyond <see cref="StoreLimits.MaxTags"/> share the last index.
    /// </summary>
    public List<TagUse> Tags(Policy policy) => Tags(policy, out _);

    /// <inheritdoc cref="Tags(Policy)"/>
    /// <param name="evicted">The counts of tags whose index was given to another tag.</param>
    public List<TagUse> Tags(Policy policy, out Counter evicted)
    {
        var uses = new List<TagUse>();
        using (Enter())
        {
            NameTable tags = Tables.Tags(policy);
            TagTotals totals = Tables.Totals[(int)policy];
            evicted = totals.Evicted;
            for (int id = 0; id <= tags.Last; id++)
            {
                if (id <= Limits.MaxTags || tags.Holders(id) > 0)
                {
                    Counter past = id <= Limits.MaxTags ? totals.Past(id) : default;
                    uses.Add(new TagUse(tags.Text(id), Tables.CounterOf(id), tags.Holders(id), past));
                }
            }
        }

        return uses;
    }

    /// <summary>The networks on which a tag has a claim.</summary>
    public List<Cidr> NetworksUnder(Policy policy, byte[] tag)
    {
        var found = new List<Cidr>();
        foreach (IpFamily family in (ReadOnlySpan<IpFamily>)[IpFamily.V4, IpFamily.V6])
        {
            RuleTable table = Tables[policy, family];
            using (Enter())
            {
                found.AddRange(table.Claims.SlotsUnder(tag).Select(slot => table.Entries[slot].Cidr));
            }

            VisitSlots(table, (in EntrySlot held, int _) =>
            {
                if (held.Origin != ChangeOrigin.Set && Tables.Tags(policy)[held.Tag].AsSpan().SequenceEqual(tag))
                {
                    found.Add(held.Cidr);
                }
            });
        }

        return found;
    }

    /// <summary>When the next entry is due; null when none expires.</summary>
    public TimeSpan? UntilNextExpiry()
    {
        using (Enter())
        {
            long next = Tables.All.Min(table => table.Expiry.NextDeadline);
            return next == long.MaxValue
                ? null
                : TimeSpan.FromSeconds(Math.Max(0, (next - _time.GetTimestamp()) / (double)_time.TimestampFrequency));
        }
    }

    private delegate void SlotVisitor(in EntrySlot held, int slot);

    private void VisitSlots(RuleTable table, SlotVisitor visit) => VisitSlots(table, ListingSlice, visit);

    /// <summary>Visits the slots in use, in slices between which the lock is free.</summary>
    private void VisitSlots(RuleTable table, int slice, SlotVisitor visit)
    {
        int used = 1;
        for (int slot = 0; slot < used;)
        {
            using (Enter())
            {
                used = table.Entries.Used;
                for (int end = Math.Min(slot + slice, used); slot < end; slot++)
                {
                    ref readonly EntrySlot held = ref table.Entries[slot];
                    if (held.InUse)
                    {
                        visit(held, slot);
                    }
                }
            }

            YieldToWaiters();
        }
    }

    private static void CopyNetworks(RuleTable table, Span<Cidr> networks)
    {
        int n = 0;
        for (int slot = 0; slot < table.Entries.Used; slot++)
        {
            ref EntrySlot held = ref table.Entries[slot];
            if (held.InUse)
            {
                networks[n++] = held.Cidr;
            }
        }
    }

    /// <summary>
    /// The live entries of one policy, in order: IPv4 first, by address, then length. An entry that exists throughout is in it once; one that
    /// is added or removed during the copy may be.
    /// </summary>
    public EntrySnapshot List(Policy policy)
    {
        var listing = new EntrySnapshot(Count(policy));
        NameTable tags = Tables.Tags(policy);
        foreach (IpFamily family in (ReadOnlySpan<IpFamily>)[IpFamily.V4, IpFamily.V6])
        {
            RuleTable table = Tables[policy, family];
            VisitSlots(table, (in EntrySlot held, int slot) =>
            {
                if (!Tables.IsExpired(held))
                {
                    NoteClaims(listing, table, held, slot);
                    listing.Add(new ListedEntry(held.Cidr, held.Creation, held.Expiration, listing.Place(tags[held.Tag], held.Tag), PlaceReason(listing, table, held, slot)));
                }
            });
        }

        listing.Sort();
        return listing;
    }

    /// <summary>The entries of one policy that cover an address or block, longest prefix first.</summary>
    public EntrySnapshot ListCovering(Policy policy, Cidr address)
    {
        List<Entry> covering = Covering(policy, address);
        var listing = new EntrySnapshot(covering.Count);
        foreach (Entry entry in covering)
        {
            listing.NoteClaims(entry.Cidr, entry.Claims);
            int reason = entry.Reason.IsEmpty ? 0 : listing.PlaceReason(entry.Reason.ToArray());
            listing.Add(new ListedEntry(entry.Cidr, entry.Creation, entry.Expiration, listing.Place(entry.Tag.ToArray()), reason));
        }

        return listing;
    }

    /// <summary>
    /// The next live entries of one policy in the order of <see cref="List"/>, at the cost of what is listed. Null when so much is changing
    /// that the whole list is cheaper.
    /// </summary>
    /// <param name="after">The last network seen; null to begin with.</param>
    /// <param name="limit">Entries at most.</param>
    /// <param name="wanted">Which tags; null for all.</param>
    public EntrySnapshot? ListPage(Policy policy, Cidr? after, int limit, Predicate<byte[]>? wanted)
    {
        var page = new EntrySnapshot(Math.Min(limit, PageSlice));
        var slots = new List<int>(PageSlice);
        foreach (IpFamily family in (ReadOnlySpan<IpFamily>)[IpFamily.V4, IpFamily.V6])
        {
            if (after is { } last && last.Family > family)
            {
                continue;
            }

            RuleTable table = Tables[policy, family];
            Cidr? cursor = after is { } seen && seen.Family == family ? seen : null;
            while (page.Count < limit && ReadSlice(table, ref cursor, slots, page, limit, wanted) is var read && read != PageStep.End)
            {
                if (read == PageStep.NoOrder && !TrySort(table))
                {
                    page.Dispose();
                    return null;
                }

                YieldToWaiters();
            }
        }

        return page;
    }

    private int PlaceReason(EntrySnapshot listing, RuleTable table, in EntrySlot held, int slot) =>
        held.HasReason && table.Reasons[slot] is var reason ? listing.PlaceReason(Tables.Reasons[reason], reason) : 0;

    private void NoteClaims(EntrySnapshot listing, RuleTable table, in EntrySlot held, int slot)
    {
        if (table.Claims.Has(slot))
        {
            listing.NoteClaims(held.Cidr, Tables.ClaimsOf(table, slot));
        }
    }

    private enum PageStep : byte
    {
        More,
        End,
        NoOrder,
    }

    private PageStep ReadSlice(RuleTable table, ref Cidr? cursor, List<int> slots, EntrySnapshot page, int limit, Predicate<byte[]>? wanted)
    {
        using (Enter())
        {
            if (table.Index is not { IsReady: true } sorted)
            {
                return PageStep.NoOrder;
            }

            NameTable tags = Tables.Tags(table.Policy);
            sorted.Read(table.Entries, cursor, PageSlice, slots);
            foreach (int slot in slots)
            {
                ref EntrySlot held = ref table.Entries[slot];
                cursor = held.Cidr;
                byte[] tag = tags[held.Tag];
                if (page.Count < limit && !Tables.IsExpired(held) && (wanted is null || wanted(tag)))
                {
                    NoteClaims(page, table, held, slot);
                    page.Add(new ListedEntry(held.Cidr, held.Creation, held.Expiration, page.Place(tag, held.Tag), PlaceReason(page, table, held, slot)));
                }
            }

            return slots.Count < PageSlice ? PageStep.End : PageStep.More;
        }
    }

    /// <summary>Orders a table's slots, mostly without the lock. False when too many of them changed in between.</summary>
    private bool TrySort(RuleTable table)
    {
        lock (_sorting)
        {
            SlotTable<EntrySlot> entries = table.Entries;
            var sorted = new OrderedIndex(table.Limit);
            using (Enter())
            {
                if (table.Index is { IsReady: true })
                {
                    return true;
                }

                table.Index = sorted; // notes changes from here on
            }

            var found = new List<(Cidr Network, int Slot)>(entries.Count);
            VisitSlots(table, (in EntrySlot held, int slot) => found.Add((held.Cidr, slot)));
            found.Sort(static (a, b) => a.Network.CompareTo(b.Network));
            int[] slots = [.. found.Select(one => one.Slot)];
            using (Enter())
            {
                sorted.Begin(slots);
                return table.Index == sorted;
            }
        }
    }
}

/// <param name="Tag">Empty for untagged.</param>
/// <param name="Counter">Index for <see cref="IDataPlane.ReadTags"/>.</param>
/// <param name="Entries">How many entries carry it now.</param>
/// <param name="Past">What the counter had counted for earlier tags.</param>
public readonly record struct TagUse(string Tag, int Counter, int Entries, Counter Past = default);
