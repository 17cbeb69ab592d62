using System.Globalization;
using Couic.Store;

namespace Couic.Api.Metrics;

/// <summary>
/// The families: first the eight of 1.x, whose names and texts dashboards know, then our own. A family without samples
/// keeps its comment lines.
/// </summary>
internal sealed class MetricsWriter(ApiServices services, StatsReader stats)
{
    public void Write(MetricsText text)
    {
        WriteCounts(text);
        WriteActions(text);
        WriteTags(text, Policy.Drop, "dropped");
        WriteTags(text, Policy.Ignore, "ignored");
        WriteTables(text);
        WriteRequests(text);
        ProcessMetrics.Write(text, services.Started);
        WriteDrift(text);
        foreach (Action<MetricsText> more in services.MoreMetrics)
        {
            more(text);
        }

        text.End();
    }

    private void WriteCounts(MetricsText text)
    {
        foreach (Policy policy in Policies.All)
        {
            string word = policy == Policy.Drop ? "dropped" : "ignored";
            string name = $"couic_{policy.Name()}_cidr_total";
            text.Family(name, "gauge", $"Current number of CIDR {word} by couic.");
            text.Sample(name, (ulong)services.Store.Count(policy));
        }
    }

    private void WriteActions(MetricsText text)
    {
        Counter[] counters = stats.ReadActions();
        (string Action, Counter Count)[] sorted = [.. StatsReader.Actions.Zip(counters).OrderBy(a => a.First, StringComparer.Ordinal)];
        text.Family("couic_stats_rx_packets_total", "counter", "Current number of packets handled by XDP.");
        foreach ((string action, Counter count) in sorted)
        {
            text.Sample("couic_stats_rx_packets_total", "action", action, count.Packets);
        }

        text.Family("couic_stats_rx_bytes_total", "counter", "Current number of bytes handled by XDP.");
        foreach ((string action, Counter count) in sorted)
        {
            text.Sample("couic_stats_rx_bytes_total", "action", action, count.Bytes);
        }
    }

    private void WriteTags(MetricsText text, Policy policy, string word)
    {
        List<TagCount> tags = stats.ReadTags(policy);
        string packets = $"couic_{policy.Name()}_tag_rx_packets_total";
        text.Family(packets, "counter", $"Number of packets {word} per tag.");
        foreach (TagCount tag in tags)
        {
            text.Sample(packets, "tag", tag.Tag, tag.Count.Packets);
        }

        string bytes = $"couic_{policy.Name()}_tag_rx_bytes_total";
        text.Family(bytes, "counter", $"Number of bytes {word} per tag.");
        foreach (TagCount tag in tags)
        {
            text.Sample(bytes, "tag", tag.Tag, tag.Count.Bytes);
        }
    }

    private void WriteTables(MetricsText text)
    {
        text.Family("couic_build_info", "gauge", "The version that runs.");
        text.Sample("couic_build_info", [("version", services.Version)], 1);
        text.Family("couic_table_entries", "gauge", "Entries of each table.");
        ForEachTable((policy, family) => text.Sample(
            "couic_table_entries", Labels(policy, family), services.Store.Count(policy, family)));
        text.Family("couic_table_limit", "gauge", "Entries that each table can hold.");
        ForEachTable((policy, family) => text.Sample("couic_table_limit", Labels(policy, family), services.Store.Limits.Entries(policy)));
    }

    private void WriteRequests(MetricsText text)
    {
        text.Family("couic_api_requests", "counter", "Answers of the API by status.");
        foreach ((int status, long answers) in services.Counters.Read())
        {
            text.Sample("couic_api_requests_total", "status", status.ToString(CultureInfo.InvariantCulture), (ulong)answers);
        }
    }

    private void WriteDrift(MetricsText text)
    {
        if (services.Facts?.Invoke().Consistency is { } consistency)
        {
            text.Family("couic_drift", "counter", "Differences between kernel and store that were found and repaired.");
            text.Sample("couic_drift_total", consistency.Drift);
        }
    }

    private static void ForEachTable(Action<Policy, IpFamily> act)
    {
        foreach (Policy policy in Policies.All)
        {
            act(policy, IpFamily.V4);
            act(policy, IpFamily.V6);
        }
    }

    private static (string, string)[] Labels(Policy policy, IpFamily family) =>
        [("policy", policy.Name()), ("family", family == IpFamily.V4 ? "ipv4" : "ipv6")];
}
