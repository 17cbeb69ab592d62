using Couic.Store;

namespace Couic.Peering;

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
