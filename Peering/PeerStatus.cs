using Couic.Store;

namespace Couic.Peering;

public enum PeerState : byte
{
    /// <summary>Not reached since it was configured.</summary>
    Connecting,

    /// <summary>Its last answer was good.</summary>
    Up,

    /// <summary>No connection.</summary>
    Unreachable,

    /// <summary>It answers, but not as a peer does.</summary>
    Failing,
}

/// <summary>What the operator sees of one peer and policy set.</summary>
/// <param name="Plain">It knows only the plain wire: no comparison, no repair.</param>
/// <param name="Queued">CIDRs that it has yet to confirm, both policies.</param>
/// <param name="OldestQueued">For how long the oldest of them waits.</param>
/// <param name="LastSuccess">When it last gave a good answer.</param>
/// <param name="LastError">Why a request failed last, and when; null if none did.</param>
/// <param name="ClockOffset">Its clock minus ours; null when unknown.</param>
/// <param name="InSync">Whether both hold the same rules, by the last comparison; null when unknown.</param>
/// <param name="Refused">Policies that it does not let us send.</param>
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

/// <summary>A CIDR on which two nodes do not have the same last word.</summary>
/// <param name="Here">Null when this node does not hold it.</param>
/// <param name="There">Null when the peer does not hold it.</param>
public sealed record PeerDifference(Policy Policy, Cidr Cidr, PeerDifference.Rule? Here, PeerDifference.Rule? There)
{
    public sealed record Rule(string Tag, ulong Expiration);
}

/// <param name="Fault">Why the two could not be compared; null when they were.</param>
/// <param name="IsTruncated">There are more than the limit.</param>
public sealed record PeerDifferences(IReadOnlyList<PeerDifference> Items, bool IsTruncated, string? Fault);
