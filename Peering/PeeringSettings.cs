using Couic.Store;

namespace Couic.Peering;

/// <summary>What <c>[peering]</c> in the configuration says, as this folder needs it.</summary>
/// <param name="Policies">Whose rules travel; <see cref="Policy.Drop"/> alone by default.</param>
public sealed record PeeringSettings(bool Enabled, IReadOnlyList<Policy> Policies, IReadOnlyList<PeerSettings> Peers)
{
    /// <summary>One bit a peer in a rule's queue mask, so 64; a full mesh larger than that wants a message bus.</summary>
    public const int MaxPeers = 64;

    public static readonly PeeringSettings Off = new(false, [Policy.Drop], []);
}

/// <param name="Host">Name or address; also what the peer is called in answers and logs.</param>
/// <param name="Token">UUID of our client on that node.</param>
/// <param name="CaFile">PEM file of the authorities that may vouch for the peer; null for the system's.</param>
/// <param name="CertFile">PEM certificate that is presented to the peer, with its key in <paramref name="KeyFile"/>.</param>
public sealed record PeerSettings(
    string Host, int Port, bool Tls, Guid Token, string? CaFile = null, string? CertFile = null, string? KeyFile = null)
{
    /// <summary>Never with the token.</summary>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
