using Couic.Store;

namespace Couic.Peering;

/// <summary>One job of a peer's batch, checked.</summary>
public sealed record IncomingJob(
    bool IsAdd,
    Cidr Cidr,
    ReadOnlyMemory<byte> Tag,
    ulong Expiration,
    JobMetadata? Metadata,
    Stamp? Stamp,
    TimeSpan? TimeToLive);

/// <param name="Extra">Any JSON object as it was written; empty for none.</param>
public sealed record JobMetadata(string Kind, string Detail, ReadOnlyMemory<byte> Extra);

/// <summary>The jobs of one request.</summary>
/// <param name="SentAt">When they were sent, by our own clock as the sender estimates it; null when it did not say.</param>
public sealed record IncomingBatch(IReadOnlyList<IncomingJob> Jobs, DateTimeOffset? SentAt);

public enum PeerBodyFault : byte
{
    None,

    /// <summary>400: it is no JSON.</summary>
    NotJson,

    /// <summary>422: it is JSON of the wrong shape or with bad values.</summary>
    Invalid,
}
