using Couic.Bus;
using Couic.Store;

namespace Couic.Peering;

/// <summary>The <c>[bus]</c> section of the configuration.</summary>
/// <param name="Policies">Replicated policies; those of peering when both are on.</param>
public sealed record BusPlan(BusSettings Settings, IReadOnlyList<Policy> Policies)
{
    public bool IsSame(BusPlan? other) => other is not null && Settings == other.Settings && Policies.SequenceEqual(other.Policies);
}

public enum BusState : byte
{
    /// <summary>Not reached yet since it was configured.</summary>
    Connecting,

    /// <summary>Connected; the log is being read to its end.</summary>
    Reading,

    /// <summary>The log was read to its end, and is followed.</summary>
    Live,

    /// <summary>No connection, or the stream cannot be used; it is tried again.</summary>
    Unreachable,
    Closed,
}

/// <summary>The state of the bus as the API reports it.</summary>
/// <param name="Name">Of the stream.</param>
/// <param name="Server">The one in use, or the last one; null before the first.</param>
/// <param name="Messages">Of the log, by its last answer.</param>
/// <param name="Pending">Messages of the log that this node has not read.</param>
/// <param name="Lag">How long ago the log was read to its end; zero while nothing is pending.</param>
/// <param name="HasJoined">Whether it was ever read to its end.</param>
/// <param name="Marked">Rules that the log has not acknowledged.</param>
/// <param name="OldestMarked">Age of the oldest of them.</param>
/// <param name="LastError">Null for none.</param>
public sealed record BusStatus(
    string Name,
    IReadOnlyList<string> Servers,
    BusState State,
    string? Server,
    ulong Messages,
    ulong LastSequence,
    ulong Pending,
    TimeSpan Lag,
    bool HasJoined,
    int Marked,
    TimeSpan OldestMarked,
    string? LastError,
    DateTimeOffset? LastErrorAt,
    BusCounters Counters);

/// <summary>Totals since the bus was configured.</summary>
public record struct BusCounters
{
    /// <summary>Values that the log acknowledged.</summary>
    public long Published { get; set; }

    /// <summary>Values that it did not; they are published again.</summary>
    public long Unacknowledged { get; set; }

    public long Received { get; set; }

    /// <summary>Messages that changed a rule.</summary>
    public long Applied { get; set; }

    /// <summary>Messages that were older than what this node holds; the newer value is published.</summary>
    public long Repaired { get; set; }

    /// <summary>Messages that are not registers.</summary>
    public long Malformed { get; set; }

    /// <summary>Messages of a later version of couic.</summary>
    public long LaterVersion { get; set; }

    /// <summary>Tombstones that this node deleted from the log.</summary>
    public long Deleted { get; set; }

    /// <summary>Rules that were removed while this node was away.</summary>
    public long Swept { get; set; }

    /// <summary>How often the log was opened.</summary>
    public long Opened { get; set; }

    public long Failures { get; set; }
}
