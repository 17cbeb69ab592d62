namespace Couic.Api.Contracts;

/// <summary>One peer, as <c>GET /v1/peers</c> answers an array of them. Times are seconds since 1970.</summary>
/// <param name="State"><c>connecting</c>, <c>up</c>, <c>unreachable</c> or <c>failing</c>.</param>
/// <param name="Plain">It knows only the plain wire of couic 1.x.</param>
/// <param name="Queued">CIDRs that it has yet to confirm.</param>
/// <param name="OldestQueuedSecs">For how long the oldest of them waits.</param>
/// <param name="LastSuccess">Null when there was none.</param>
/// <param name="ClockOffsetSecs">Its clock minus ours; null when unknown.</param>
/// <param name="InSync">Whether both hold the same rules; null when unknown.</param>
/// <param name="Refused">Policies that it does not let us send.</param>
public sealed record PeerRecord(
    string Host,
    int Port,
    bool Tls,
    string State,
    bool Plain,
    ulong Queued,
    double OldestQueuedSecs,
    ulong? LastSuccess,
    string? LastError,
    ulong? LastErrorAt,
    double? ClockOffsetSecs,
    bool? InSync,
    string[]? Refused);

/// <summary>The answer of <c>GET /v1/peers/{host}/diff</c>.</summary>
/// <param name="Truncated">There are more differences than the answer holds.</param>
public sealed record PeerDiffRecord(string Host, PeerDifference[] Differences, bool Truncated);

/// <summary>A CIDR that two nodes do not hold alike.</summary>
/// <param name="Here">Null when this node does not hold it.</param>
/// <param name="There">Null when the peer does not hold it.</param>
public sealed record PeerDifference(string Policy, string Cidr, PeerRule? Here, PeerRule? There);

/// <param name="Expiration">Seconds since 1970, 0 for never.</param>
public sealed record PeerRule(string? Tag, ulong Expiration);
