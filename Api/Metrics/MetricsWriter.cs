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

/// <summary>Packets and bytes of one tag.</summary>
internal readonly record struct TagCount(string Tag, Counter Count);

/// <summary>Reads the counters of the data plane and names them.</summary>
internal sealed class StatsReader(RuleStore store, IDataPlane plane)
{
    /// <summary>By the number of the XDP action (linux/bpf.h, enum xdp_action).</summary>
    public static readonly string[] Actions = ["XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"];

    /// <summary>The name of all tags without a counter.</summary>
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
        // Reads the counters before their owners: a counter that was reassigned is then known, and no tag is shown the packets of another.
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

/// <summary>
/// The resources of the process: the families of every Prometheus client library, and those of .NET by their OpenTelemetry names. They
/// distinguish memory that grows from memory that the garbage collector has yet to free.
/// </summary>
internal static class ProcessMetrics
{
    /// <summary>By the number of the generation.</summary>
    private static readonly string[] Generations = ["gen0", "gen1", "gen2", "loh", "poh"];

    public static void Write(MetricsText text, DateTimeOffset started)
    {
        text.Family("process_resident_memory_bytes", "gauge", "Resident memory of the daemon.");
        text.Sample("process_resident_memory_bytes", (ulong)Environment.WorkingSet);
        text.Family("process_start_time_seconds", "gauge", "When the daemon started, in seconds since 1970.");
        text.Sample("process_start_time_seconds", (ulong)started.ToUnixTimeSeconds());
        text.Family("process_cpu_seconds", "counter", "Processor time that the daemon has used.");
        text.Sample("process_cpu_seconds_total", Environment.CpuUsage.TotalTime.TotalSeconds);
        text.Family("process_open_fds", "gauge", "Open descriptors.");
        text.Sample("process_open_fds", (ulong)Count("/proc/self/fd"));
        text.Family("process_threads", "gauge", "Threads.");
        text.Sample("process_threads", (ulong)Count("/proc/self/task"));
        WriteCollector(text);
    }

    private static void WriteCollector(MetricsText text)
    {
        GCMemoryInfo last = GC.GetGCMemoryInfo();
        text.Family("dotnet_gc_heap_total_allocated_bytes", "counter", "Bytes of objects that were made.");
        text.Sample("dotnet_gc_heap_total_allocated_bytes_total", (ulong)GC.GetTotalAllocatedBytes());
        text.Family("dotnet_gc_collections", "counter", "Collections by the oldest generation that they looked at.");
        for (int generation = 0, older = 0; generation <= GC.MaxGeneration; generation++)
        {
            older = generation < GC.MaxGeneration ? GC.CollectionCount(generation + 1) : 0;
            text.Sample("dotnet_gc_collections_total", "gc_heap_generation", Generations[generation], (ulong)(GC.CollectionCount(generation) - older));
        }

        text.Family("dotnet_gc_pause_time_seconds", "counter", "Time for which collections stopped all threads.");
        text.Sample("dotnet_gc_pause_time_seconds_total", GC.GetTotalPauseDuration().TotalSeconds);
        text.Family("dotnet_gc_last_collection_memory_committed_size_bytes", "gauge", "Memory that the collector held from the system after the last collection.");
        text.Sample("dotnet_gc_last_collection_memory_committed_size_bytes", (ulong)last.TotalCommittedBytes);
        WriteGenerations(text, last, "heap_size", "Objects and gaps after the last collection.", static info => info.SizeAfterBytes);
        WriteGenerations(text, last, "heap_fragmentation_size", "Gaps between objects after the last collection.", static info => info.FragmentationAfterBytes);
    }

    private static void WriteGenerations(MetricsText text, in GCMemoryInfo last, string what, string help, Func<GCGenerationInfo, long> read)
    {
        string name = $"dotnet_gc_last_collection_{what}_bytes";
        text.Family(name, "gauge", help);
        for (int i = 0; i < Math.Min(Generations.Length, last.GenerationInfo.Length); i++)
        {
            text.Sample(name, "gc_heap_generation", Generations[i], (ulong)read(last.GenerationInfo[i]));
        }
    }

    private static int Count(string folder)
    {
        int count = 0;
        foreach (string _ in Directory.EnumerateFileSystemEntries(folder))
        {
            count++;
        }

        return count;
    }
}
