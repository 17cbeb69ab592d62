namespace Couic.Store;

public sealed partial class RuleStore
{
    /// <summary>The entry of exactly this network (host bits are cleared), unless its time has come.</summary>
    public bool TryGet(Policy policy, Cidr cidr, out Entry entry)
    {
        using (Enter())
        {
            Category category = CategoryOf(policy, cidr.Family);
            int slot = FindLive(category, cidr.Network);
            entry = slot < 0 ? default : Read(category, slot);
            return slot >= 0;
        }
    }

    /// <summary>The entries of one policy that cover an address or block, longest prefix first.</summary>
    public List<Entry> Covering(Policy policy, Cidr address)
    {
        var found = new List<Entry>();
        using (Enter())
        {
            Category category = CategoryOf(policy, address.Family);
            for (int length = address.Length; length >= 0; length--)
            {
                int slot = category.PerLength[length] == 0 ? -1 : FindLive(category, address.WithLength(length));
                if (slot >= 0)
                {
                    found.Add(Read(category, slot));
                }
            }
        }

        return found;
    }

    /// <summary>The longest entry of one policy that covers a whole network. Allocates nothing.</summary>
    public bool TryFindCovering(Policy policy, Cidr network, out Cidr covering)
    {
        Category category = CategoryOf(policy, network.Family);
        covering = default;
        if (category.Entries.Count == 0)
        {
            return false; // the usual case for ignore; does not wait for the lock
        }

        using (Enter())
        {
            for (int length = network.Length; length >= 0; length--)
            {
                covering = network.WithLength(length);
                if (category.PerLength[length] > 0 && FindLive(category, covering) >= 0)
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>Entries of one policy and family, those about to expire included.</summary>
    public int Count(Policy policy, IpFamily family)
    {
        using (Enter())
        {
            return CategoryOf(policy, family).Entries.Count;
        }
    }

    /// <summary>Entries of one policy, both families.</summary>
    public int Count(Policy policy) => Count(policy, IpFamily.V4) + Count(policy, IpFamily.V6);

    /// <summary>
    /// The networks of one policy in order (IPv4 first, by address, then length), behind <paramref name="after"/> if one
    /// is given. A listing looks each of them up again when it gets to it, in batches, so that no lock is held for long
    /// and the memory is that of the keys alone.
    /// </summary>
    public Cidr[] SortedNetworks(Policy policy, Cidr? after = null)
    {
        Cidr[] networks;
        using (Enter())
        {
            Category v4 = CategoryOf(policy, IpFamily.V4), v6 = CategoryOf(policy, IpFamily.V6);
            networks = new Cidr[v4.Entries.Count + v6.Entries.Count];
            CopyNetworks(v4, networks);
            CopyNetworks(v6, networks.AsSpan(v4.Entries.Count));
        }

        Array.Sort(networks); // outside the lock: it takes the longest
        if (after is not { } last)
        {
            return networks;
        }

        int index = Array.BinarySearch(networks, last.Network);
        return networks[(index < 0 ? ~index : index + 1)..];
    }

    /// <summary>Reads the entries of these networks that are still there. Returns how many.</summary>
    public int Read(Policy policy, ReadOnlySpan<Cidr> networks, Span<Entry> entries)
    {
        int n = 0;
        using (Enter())
        {
            foreach (Cidr cidr in networks)
            {
                Category category = CategoryOf(policy, cidr.Family);
                int slot = FindLive(category, cidr);
                if (slot >= 0)
                {
                    entries[n++] = Read(category, slot);
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
    /// <param name="evicted">What tags without entries had counted whose index went to another one.</param>
    public List<TagUse> Tags(Policy policy, out Counter evicted)
    {
        var uses = new List<TagUse>();
        using (Enter())
        {
            NameTable tags = _tags[(int)policy];
            TagTotals totals = _tagTotals[(int)policy];
            evicted = totals.Evicted;
            for (int id = 0; id <= tags.Last; id++)
            {
                if (id <= _limits.MaxTags || tags.Holders(id) > 0)
                {
                    Counter past = id <= _limits.MaxTags ? totals.Past(id) : default;
                    uses.Add(new TagUse(tags.Text(id), CounterOf(id), tags.Holders(id), past));
                }
            }
        }

        return uses;
    }

    /// <summary>When the next entry is due; null when none expires.</summary>
    public TimeSpan? UntilNextExpiry()
    {
        using (Enter())
        {
            long next = _categories.Min(category => category.Expiry.NextDeadline);
            return next == long.MaxValue
                ? null
                : TimeSpan.FromSeconds(Math.Max(0, (next - _time.GetTimestamp()) / (double)_time.TimestampFrequency));
        }
    }

    private static void CopyNetworks(Category category, Span<Cidr> networks)
    {
        int n = 0;
        for (int slot = 0; slot < category.Entries.Used; slot++)
        {
            ref EntryTable.Slot held = ref category.Entries[slot];
            if (held.InUse)
            {
                networks[n++] = held.Cidr;
            }
        }
    }
}

/// <param name="Tag">Empty for untagged.</param>
/// <param name="Counter">Index for <see cref="IDataPlane.ReadTags"/>.</param>
/// <param name="Entries">How many entries carry it now.</param>
/// <param name="Past">What the counter had counted for other tags before.</param>
public readonly record struct TagUse(string Tag, int Counter, int Entries, Counter Past = default);
