using Couic.Store;

namespace Couic.Peering;

/// <summary>The last word on a CIDR, copied from the index to be sent.</summary>
/// <param name="Left">Time to live that is left; null when it does not expire.</param>
/// <param name="Known">Whether the peer was told of the CIDR before, so that it may hold an older word.</param>
internal readonly record struct OutgoingJob(
    Cidr Cidr,
    Stamp Stamp,
    ReplicaState State,
    ReadOnlyMemory<byte> Tag,
    ulong Expiration,
    TimeSpan? Left,
    bool Known,
    PeerQueue.Item Place);
