namespace Couic.Config;

/// <summary>
/// The table <c>[limits]</c>. Each key is the property's name in snake case with its unit; the defaults are those of the parts of the
/// program that they bound, where the sources are named.
/// </summary>
public sealed record LimitSettings
{
    /// <summary>Entries per address family in <c>drop</c>.</summary>
    public int MaxDropEntries { get; init; } = 262_144;

    /// <summary>Entries per address family in <c>ignore</c>.</summary>
    public int MaxIgnoreEntries { get; init; } = 65_536;

    /// <summary>Tags per policy with a counter of their own; further ones share one.</summary>
    public int MaxTags { get; init; } = 4_096;

    /// <summary>Whether each entry's packets and last hit are kept.</summary>
    public bool PerEntryCounters { get; init; } = true;

    /// <summary>Open connections to the API.</summary>
    public int MaxConnections { get; init; } = 12_000;

    /// <summary>Method, target and version of a request.</summary>
    public int MaxRequestLineBytes { get; init; } = 8 * 1024;

    /// <summary>Header fields of a request.</summary>
    public int MaxHeaderFields { get; init; } = 100;

    /// <summary>All header fields of a request together.</summary>
    public int MaxHeaderBytes { get; init; } = 32 * 1024;

    /// <summary>A request body that is read as a whole; bulk bodies have no limit.</summary>
    public int MaxBodyBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>One set file; null for 48 bytes per entry of the larger table, at least the 5 MiB of couic 1.x.</summary>
    public int? MaxSetFileBytes { get; init; }

    /// <summary>Set files of each policy.</summary>
    public int MaxSetFiles { get; init; } = 4_096;

    /// <summary>One item of a bulk body.</summary>
    public int MaxItemBytes { get; init; } = 256 * 1024;

    /// <summary>Memory of connections that wait in the middle of a request, for a turn or for a slow reader, all together.</summary>
    public int MaxParkedBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>Seconds to a complete request header.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Seconds that a connection may idle between two requests.</summary>
    public TimeSpan KeepAliveTimeout { get; init; } = TimeSpan.FromSeconds(75);

    /// <summary>Seconds that a body or an answer may stand still before its rate counts.</summary>
    public TimeSpan RateGrace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Slowest body, behind the grace.</summary>
    public int MinBodyBytesPerSecond { get; init; } = 4 * 1024;

    /// <summary>Slowest reader of an answer, behind the grace.</summary>
    public int MinAnswerBytesPerSecond { get; init; } = 16 * 1024;
}
