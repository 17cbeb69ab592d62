namespace Couic.Api.Contracts;

/// <summary>The message bus, as <c>GET /v1/bus</c> answers it. Times are seconds since 1970.</summary>
/// <param name="Name">Of the stream.</param>
/// <param name="State"><c>connecting</c>, <c>reading</c>, <c>live</c> or <c>unreachable</c>.</param>
/// <param name="Server">The one in use, or the last one; null before the first.</param>
/// <param name="Messages">That the stream holds: one per rule, and recent removals.</param>
/// <param name="LagMessages">Messages that this node has not read.</param>
/// <param name="LagSecs">How long ago the stream was read to its end; 0 while nothing is pending, null before the first time.</param>
/// <param name="Marked">Rules that the stream has not acknowledged.</param>
/// <param name="OldestMarkedSecs">For how long the oldest of them waits.</param>
public sealed record BusRecord(
    string Name,
    string State,
    string[] Servers,
    string? Server,
    ulong Messages,
    ulong LagMessages,
    double? LagSecs,
    ulong Marked,
    double OldestMarkedSecs,
    string? LastError,
    ulong? LastErrorAt,
    BusCounts Counts);

/// <param name="Published">Values that the stream acknowledged.</param>
/// <param name="Unacknowledged">Values that it did not; they are published again.</param>
/// <param name="Applied">Messages that changed a rule.</param>
/// <param name="Repaired">Messages that were older than what this node holds; the newer value is published.</param>
/// <param name="Malformed">Messages that are not rules.</param>
/// <param name="LaterVersion">Messages of a later version of couic.</param>
/// <param name="Deleted">Old removals that this node deleted from the stream.</param>
/// <param name="Swept">Rules that were removed while this node was away.</param>
/// <param name="Opened">How often the stream was opened.</param>
public sealed record BusCounts(
    ulong Published, ulong Unacknowledged, ulong Received, ulong Applied, ulong Repaired, ulong Malformed, ulong LaterVersion, ulong Deleted, ulong Swept,
    ulong Opened, ulong Failures);
