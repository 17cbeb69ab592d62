using Couic.Store;

namespace Couic.Api.Metrics;

/// <summary>Packets and bytes of one tag.</summary>
internal readonly record struct TagCount(string Tag, Counter Count);

/// <summary>Reads the counters of the data plane and names them.</summary>
internal sealed class StatsReader(RuleStore store, IDataPlane plane)
{
    /// <summary>By the number that XDP gives them (linux/bpf.h, enum xdp_action).</summary>
    public static readonly string[] Actions = ["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"];

    /// <summary>How tags without a counter of their own show together.</summary>
    private const string Others = "(others)";

    public Counter[] ReadActions()
    {
        var counters = new Counter[Actions.Length];
        plane.ReadActions(counters);
        return counters;
    }

    /// <summary>Each tag that is in use, zeros included, and each that has counted since the start; sorted.</summary>
    public List<TagCount> ReadTags(Policy policy)
    {
        // The counters first, then whose they are: what another tag has had of one by then is known, so none is shown its packets.
        int last = store.Limits.MaxTags + 1;
        int highest = store.Tags(policy, out Counter evicted).Max(use => use.Counter);
        var counters = new Counter[(evicted.Packets > 0 ? last : highest) + 1];
        plane.ReadTags(policy, counters);
        List<TagUse> uses = store.Tags(policy, out evicted);
        var counts = new List<TagCount>();
        bool others = evicted.Packets > 0;
        foreach (TagUse use in uses)
        {
            Counter count = use.Counter < counters.Length ? counters[use.Counter] - use.Past : default;
            if (use.Counter == last)
            {
                others = true;
            }
            else if (use.Entries > 0 || count.Packets > 0)
            {
                counts.Add(new TagCount(use.Tag.Length == 0 ? TagRule.Untagged : use.Tag, count));
            }
        }

        if (others)
        {
            counts.Add(new TagCount(Others, (last < counters.Length ? counters[last] : default) + evicted));
        }

        counts.Sort(static (a, b) => string.CompareOrdinal(a.Tag, b.Tag));
        return counts;
    }
}
