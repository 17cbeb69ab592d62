namespace Couic.Api.Metrics;

/// <summary>
/// What the process takes from the machine: the families that every client library of Prometheus has, and those of .NET by their
/// names in OpenTelemetry. They tell memory that grows from memory that the collector has yet to look at.
/// </summary>
internal static class ProcessMetrics
{
    /// <summary>By the number that the runtime gives them.</summary>
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
