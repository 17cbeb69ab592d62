using Couic.Api.Contracts;
using Couic.Store;

namespace Couic.Cli.Top;

/// <summary>What the daemon answered at one moment; null for what it does not have, or does not let this client read.</summary>
/// <param name="At">Monotonic timestamp.</param>
internal sealed record TopSample(
    long At, DateTimeOffset Time, MetricsRecord Metrics, StatusRecord? Status, IReadOnlyList<PeerRecord>? Peers, IReadOnlyList<TopEntry>? Entries);

internal sealed record TopEntry(Policy Policy, EntryRecord Entry);

/// <summary>Packets and bytes per second.</summary>
internal readonly record struct Rates(double Packets, double Bytes);

/// <param name="Rates">Null without an earlier count.</param>
internal sealed record TopTag(Policy Policy, string Tag, CounterRecord Counter, Rates? Rates);

/// <summary>
/// Rates and their history, from samples. A daemon that was started again counts from zero: no rate spans its restart, and
/// none while it is away.
/// </summary>
internal sealed class TopModel(TimeProvider clock)
{
    public const string Drop = "XDP_DROP", Pass = "XDP_PASS";

    /// <summary>Values per graph: those of a terminal 300 columns wide.</summary>
    public const int History = 600;

    /// <summary>Null before the first sample.</summary>
    public TopSample? Latest { get; private set; }

    /// <summary>Null without two counts of one daemon.</summary>
    public Rates? Dropped { get; private set; }

    /// <inheritdoc cref="Dropped"/>
    public Rates? Passed { get; private set; }

    /// <summary>Seconds between the last two counts; null as for <see cref="Dropped"/>.</summary>
    public double? Seconds { get; private set; }

    public IReadOnlyList<TopTag> Tags { get; private set; } = [];

    /// <summary>Packets per second, the latest last; NaN for a missing rate.</summary>
    public List<double> DroppedHistory { get; } = [];

    /// <inheritdoc cref="DroppedHistory"/>
    public List<double> PassedHistory { get; } = [];

    /// <summary>Why the daemon does not answer; null if it does.</summary>
    public string? Fault { get; private set; }

    /// <summary>Since when.</summary>
    public DateTimeOffset FaultSince { get; private set; }

    public void Add(TopSample sample)
    {
        TopSample? before = Latest is { } last && IsSameRun(last, sample) ? last : null;
        Seconds = before is null ? null : Math.Max(clock.GetElapsedTime(before.At, sample.At).TotalSeconds, 0.001);
        Dropped = Rate(Of(before?.Metrics.Xdp, Drop), Of(sample.Metrics.Xdp, Drop));
        Passed = Rate(Of(before?.Metrics.Xdp, Pass), Of(sample.Metrics.Xdp, Pass));
        Tags = [.. TagsOf(Policy.Drop, before?.Metrics.DropTags, sample.Metrics.DropTags), .. TagsOf(Policy.Ignore, before?.Metrics.IgnoreTags, sample.Metrics.IgnoreTags)];
        if (Latest is not null)
        {
            Remember(Dropped?.Packets ?? double.NaN, Passed?.Packets ?? double.NaN);
        }

        (Latest, Fault) = (sample, null);
    }

    /// <summary>The daemon did not answer.</summary>
    public void Lose(string fault, DateTimeOffset now)
    {
        FaultSince = Fault is null ? now : FaultSince;
        Fault = fault;
        Remember(double.NaN, double.NaN);
    }

    /// <summary>Whether the counters of the second sample continue those of the first.</summary>
    private static bool IsSameRun(TopSample first, TopSample second) =>
        first.Status?.StartedAt == second.Status?.StartedAt
        && first.Metrics.Xdp.All(action => Of(second.Metrics.Xdp, action.Key) is { } later && later.RxPackets >= action.Value.RxPackets);

    private static CounterRecord? Of(Dictionary<string, CounterRecord>? counters, string name) => counters?.GetValueOrDefault(name);

    /// <summary>Null where the count fell: a tag's counter passed to another tag and back.</summary>
    private Rates? Rate(CounterRecord? before, CounterRecord? after) =>
        before is not null && after is not null && after.RxPackets >= before.RxPackets && after.RxBytes >= before.RxBytes && Seconds is { } seconds
            ? new Rates((after.RxPackets - before.RxPackets) / seconds, (after.RxBytes - before.RxBytes) / seconds)
            : null;

    private IEnumerable<TopTag> TagsOf(Policy policy, TagStatsRecord? before, TagStatsRecord after)
    {
        foreach ((string tag, CounterRecord counter) in after.Tags)
        {
            // A tag that is new counted from zero.
            CounterRecord? earlier = before is null ? null : Of(before.Tags, tag) ?? new CounterRecord(0, 0);
            yield return new TopTag(policy, tag, counter, Rate(earlier, counter));
        }
    }

    private void Remember(double dropped, double passed)
    {
        foreach ((List<double> history, double value) in ((List<double>, double)[])[(DroppedHistory, dropped), (PassedHistory, passed)])
        {
            history.Add(value);
            if (history.Count > History)
            {
                history.RemoveAt(0);
            }
        }
    }
}
