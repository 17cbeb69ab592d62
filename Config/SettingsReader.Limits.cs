namespace Couic.Config;

/// <summary>The table <c>[limits]</c>.</summary>
public sealed partial class SettingsReader
{
    private const int KiB = 1024;
    private const int MiB = 1024 * 1024;

    private static LimitSettings ReadLimits(KeyReader table)
    {
        LimitSettings defaults = new();
        var limits = new LimitSettings
        {
            // A kernel table's size is fixed when it is made; 16 Mi entries are beyond what its memory limits let through.
            MaxDropEntries = table.Number("max_drop_entries", defaults.MaxDropEntries, 1, 16 * MiB),
            MaxIgnoreEntries = table.Number("max_ignore_entries", defaults.MaxIgnoreEntries, 1, 16 * MiB),
            MaxTags = table.Number("max_tags", defaults.MaxTags, 1, 65_000),
            PerEntryCounters = table.Boolean("per_entry_counters", defaults.PerEntryCounters),
            MaxConnections = table.Number("max_connections", defaults.MaxConnections, 1, 1_000_000),
            MaxRequestLineBytes = table.Number("max_request_line_bytes", defaults.MaxRequestLineBytes, 256, MiB),
            MaxHeaderFields = table.Number("max_header_fields", defaults.MaxHeaderFields, 8, 10_000),
            MaxHeaderBytes = table.Number("max_header_bytes", defaults.MaxHeaderBytes, KiB, 16 * MiB),
            MaxBodyBytes = table.Number("max_body_bytes", defaults.MaxBodyBytes, KiB, 1024 * MiB),
            MaxSetFileBytes = table.Has("max_set_file_bytes") ? table.Number("max_set_file_bytes", 0, KiB, 1024 * MiB) : null,
            MaxSetFiles = table.Number("max_set_files", defaults.MaxSetFiles, 1, 100_000),
            MaxItemBytes = table.Number("max_item_bytes", defaults.MaxItemBytes, KiB, 16 * MiB),
            MaxParkedBytes = table.Number("max_parked_bytes", defaults.MaxParkedBytes, MiB, 1024 * MiB),
            HeaderTimeout = Seconds(table, "header_timeout_secs", defaults.HeaderTimeout),
            KeepAliveTimeout = Seconds(table, "keep_alive_timeout_secs", defaults.KeepAliveTimeout),
            RateGrace = Seconds(table, "rate_grace_secs", defaults.RateGrace),
            MinBodyBytesPerSecond = table.Number("min_body_bytes_per_sec", defaults.MinBodyBytesPerSecond, 1, 1024 * MiB),
            MinAnswerBytesPerSecond = table.Number("min_answer_bytes_per_sec", defaults.MinAnswerBytesPerSecond, 1, 1024 * MiB),
        };
        table.Finish(Places);
        return limits;
    }

    private static TimeSpan Seconds(KeyReader table, string key, TimeSpan otherwise) =>
        TimeSpan.FromSeconds(table.Number(key, (int)otherwise.TotalSeconds, 1, 86_400));
}
