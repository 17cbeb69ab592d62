using Couic.Store;

namespace Couic.Peering;

public enum PeerState : byte
{
    /// <summary>Not reached yet since it was configured.</summary>
    Connecting,

    /// <summary>Its last answer was valid.</summary>
    Up,

    /// <summary>No connection.</summary>
    Unreachable,

    /// <summary>It answers, but not as a peer should.</summary>
    Failing,
}

/// <summary>The state of one peer as the API reports it.</summary>
/// <param name="Plain">It speaks the protocol of couic 1.x only: no comparison, no repair.</param>
/// <param name="Queued">CIDRs that it has not confirmed yet, for both policies.</param>
/// <param name="OldestQueued">Age of the oldest of them.</param>
/// <param name="LastSuccess">Time of its last valid answer.</param>
/// <param name="LastError">Cause of the last failed request; null for none.</param>
/// <param name="ClockOffset">Its clock minus the local clock; null when unknown.</param>
/// <param name="InSync">Whether both nodes held the same rules at the last comparison; null when unknown.</param>
/// <param name="Refused">Policies for which it refuses this node's token.</param>
public sealed record PeerStatus(
    string Host,
    int Port,
    bool Tls,
    PeerState State,
    bool Plain,
    int Queued,
    TimeSpan OldestQueued,
    DateTimeOffset? LastSuccess,
    string? LastError,
    DateTimeOffset? LastErrorAt,
    TimeSpan? ClockOffset,
    bool? InSync,
    IReadOnlyList<Policy> Refused,
    PeerCounters Counters);

/// <summary>Totals since the peer was configured.</summary>
public readonly record struct PeerCounters(long JobsSent, long Requests, long Failures, long BytesSent, long BytesReceived, long RecordsFetched);

/// <summary>A CIDR on which two nodes differ.</summary>
/// <param name="Here">Null when this node does not hold it.</param>
/// <param name="There">Null when the peer does not hold it.</param>
public sealed record PeerDifference(Policy Policy, Cidr Cidr, PeerDifference.Rule? Here, PeerDifference.Rule? There)
{
    public sealed record Rule(string Tag, ulong Expiration);
}

/// <param name="Fault">Why the nodes could not be compared; null when they were.</param>
/// <param name="IsTruncated">There are more differences than the limit.</param>
public sealed record PeerDifferences(IReadOnlyList<PeerDifference> Items, bool IsTruncated, string? Fault);
