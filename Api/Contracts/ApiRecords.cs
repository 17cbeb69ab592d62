using System.Text.Json.Serialization;

namespace Couic.Api.Contracts;

/// <summary>An entry as answers of the API show it.</summary>
public sealed record EntryRecord
{
    /// <summary>Seconds since 1970 at which it was stored.</summary>
    public required ulong Creation { get; init; }

    public required string Cidr { get; init; }

    /// <summary>Null for none.</summary>
    public string? Tag { get; init; }

    /// <summary>Seconds since 1970, 0 for never.</summary>
    public required ulong Expiration { get; init; }

    /// <summary>Why it exists; absent for none.</summary>
    public string? Reason { get; init; }

    /// <summary>All claims, the longest first; absent when there is only one.</summary>
    public ClaimRecord[]? Claims { get; init; }

    /// <summary>Client, set or peer it came from; only with <c>details=true</c>.</summary>
    public string? AddedBy { get; init; }

    /// <summary>Packets whose source it decided; only with <c>details=true</c>, and null when entries are not counted.</summary>
    public ulong? Packets { get; init; }

    /// <summary>Seconds since 1970 at which a packet last met it, 0 for never; only with <c>details=true</c>.</summary>
    public ulong? LastHit { get; init; }

    /// <summary>Packets per second; only with <c>details=true</c> and <c>sort=rate</c>, and null when it is not known yet.</summary>
    public double? Rate { get; init; }
}

/// <summary>A tag that wants an entry.</summary>
/// <param name="Tag">Null for none.</param>
/// <param name="Expiration">Seconds since 1970, 0 for never.</param>
/// <param name="Reason">Absent for none.</param>
public sealed record ClaimRecord(string? Tag, ulong Expiration, string? AddedBy, string? Reason);

/// <summary>The body of <c>POST /v1/{policy}</c>.</summary>
/// <param name="Tag">Null for none.</param>
/// <param name="Expiration">Seconds since 1970, 0 for never.</param>
/// <param name="Reason">Why it exists; null for none.</param>
public sealed record NewEntry(string Cidr, string? Tag, ulong Expiration, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Reason = null);

/// <summary>As <see cref="NewEntry"/>, with <c>on_conflict=merge</c>; what is null stays as it is.</summary>
/// <param name="Tag">Empty for none.</param>
public sealed record PartialEntry(
    string Cidr,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Tag,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] ulong? Expiration,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Reason);

/// <summary>The answer of <c>POST /v1/{policy}/bulk</c>.</summary>
/// <param name="Rejected">The first hundred.</param>
/// <param name="RejectedCount">All of them; 0 or absent when all are in <paramref name="Rejected"/>.</param>
public sealed record BulkRecord(
    ulong Created, ulong Updated, ulong Unchanged, ulong Removed, ulong Absent, BulkRejection[]? Rejected, ulong RejectedCount);

/// <param name="Index">From 0.</param>
public sealed record BulkRejection(ulong Index, string Code, string Message);

/// <summary>A set with its entries: the body of a creation and of most answers.</summary>
public sealed record SetRecord(string Name, string[] Entries);

/// <summary>A set in the list of its policy.</summary>
/// <param name="FileSize">Bytes.</param>
/// <param name="State">With <c>details=true</c>: <c>loaded</c>, <c>changed</c>, <c>new</c>, <c>gone</c>, <c>faulty</c> or <c>ignored</c>.</param>
/// <param name="InForce">With <c>details=true</c>: entries in force under its tag.</param>
/// <param name="Fault">With <c>details=true</c>: why it is faulty or ignored.</param>
public sealed record SetSummary(string Name, ulong EntryCount, ulong FileSize, string? State = null, ulong? InForce = null, string? Fault = null);

/// <summary>The answer of <c>POST /v1/sets/reload?details=true</c>; without details it has only the status.</summary>
public sealed record SetReloadRecord(string? ReloadStatus, SetChanges? Drop, SetChanges? Ignore);

/// <summary>What a reload changed in a policy.</summary>
/// <param name="TakenOver">Entries that existed under another tag.</param>
public sealed record SetChanges(ulong Added, ulong Removed, ulong TakenOver, ulong Unchanged);

/// <summary>The answer of <c>POST /v1/reload</c>.</summary>
/// <param name="Message">What needs a restart; empty when nothing does.</param>
public sealed record ReloadRecord(string? ReloadStatus, string? Message);

/// <summary>Packets and bytes that were counted.</summary>
public sealed record CounterRecord(ulong RxPackets, ulong RxBytes);

/// <summary>The answer of <c>GET /v1/stats</c>.</summary>
/// <param name="Xdp">By action, such as <c>XDP_DROP</c>.</param>
public sealed record StatsRecord(ulong DropCidrCount, ulong IgnoreCidrCount, Dictionary<string, CounterRecord> Xdp);

/// <summary>The answer of <c>GET /v1/stats/tags/{policy}</c>.</summary>
public sealed record TagStatsRecord(Dictionary<string, CounterRecord> Tags);

/// <summary>The answer of <c>GET /v1/metrics</c> as JSON.</summary>
public sealed record MetricsRecord(
    ulong DropCidrCount, ulong IgnoreCidrCount, Dictionary<string, CounterRecord> Xdp, TagStatsRecord DropTags, TagStatsRecord IgnoreTags);

/// <summary>A client of the API, as answers show it; the token is secret.</summary>
/// <param name="Rails">What limits the token; null for nothing.</param>
public sealed record ClientRecord(string Name, string Token, string Group, RailsRecord? Rails = null);

/// <summary>Limits on what a token may change; null for each one that does not exist.</summary>
public sealed record RailsRecord
{
    /// <summary>The policies whose entries and sets it may change.</summary>
    public string[]? Policies { get; init; }

    /// <summary>The shortest prefix of an IPv4 network that it may add.</summary>
    public long? MinPrefixV4 { get; init; }

    /// <summary>The shortest prefix of an IPv6 network that it may add.</summary>
    public long? MinPrefixV6 { get; init; }

    /// <summary>The longest time in seconds for which it may add an entry; an expiration is then required.</summary>
    public long? MaxTtl { get; init; }

    /// <summary>How many entries may have the client as their creator.</summary>
    public long? MaxEntries { get; init; }

    /// <summary>Changes per second.</summary>
    public long? Rate { get; init; }

    /// <summary>Changes at once after a pause; as <see cref="Rate"/> when absent.</summary>
    public long? Burst { get; init; }

    /// <summary>Tags that it may give, and of the entries that it may delete; <c>*</c> at either end matches anything.</summary>
    public string[]? Tags { get; init; }

    /// <summary>Networks from which the token is accepted on the network listener.</summary>
    public string[]? From { get; init; }

    /// <summary>One text per rail that is set, such as <c>rate=50</c>.</summary>
    public IEnumerable<string> Texts() => Values().Select(rail => $"{rail.Key}={(rail.Value is string[] items ? string.Join(',', items) : rail.Value)}");

    /// <summary>The rails that are set, by their names in files and bodies: numbers, and arrays of strings.</summary>
    public IEnumerable<(string Key, object Value)> Values()
    {
        (string Key, object? Value)[] all =
        [
            ("policies", Policies), ("min_prefix_v4", MinPrefixV4), ("min_prefix_v6", MinPrefixV6), ("max_ttl", MaxTtl), ("max_entries", MaxEntries),
            ("rate", Rate), ("burst", Burst), ("tags", Tags), ("from", From),
        ];
        return all.Where(rail => rail.Value is not null).Select(rail => (rail.Key, rail.Value!));
    }
}

/// <summary>The body of <c>POST /v1/client</c>.</summary>
public sealed record NewClient(
    string Name, string Group, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] RailsRecord? Rails = null);

/// <summary>The answer of <c>GET /v1/history</c>.</summary>
/// <param name="Changes">Oldest first.</param>
/// <param name="Complete">Whether no older change was left out.</param>
public sealed record HistoryRecord(ChangeRecord[] Changes, bool Complete);

/// <summary>A change as the log has it. Null for what it does not name.</summary>
/// <param name="Time">RFC 3339, UTC.</param>
/// <param name="Event">The event of the log line, such as <c>entry_created</c>.</param>
/// <param name="Client">The client that made it.</param>
/// <param name="Expiration">Seconds since 1970, 0 for never.</param>
/// <param name="Message">The message of the log line.</param>
public sealed record ChangeRecord(
    string Time, string Event, string? Client, string? Policy, string? Cidr, string? Tag, ulong? Expiration, string Message);

/// <summary>The body of every refusal.</summary>
/// <param name="Errors">The fault of each field; empty when none is at fault.</param>
public sealed record ErrorBody(string Code, Dictionary<string, FieldError>? Errors, string Message);

/// <summary>The fault of one field.</summary>
public sealed record FieldError(string Code, string Message);
