using Couic.Store;

namespace Couic.Peering;

/// <summary>The <c>[peering]</c> section of the configuration.</summary>
/// <param name="Policies">Replicated policies; <see cref="Policy.Drop"/> alone by default.</param>
public sealed record PeeringSettings(bool Enabled, IReadOnlyList<Policy> Policies, IReadOnlyList<PeerSettings> Peers)
{
    /// <summary>One bit per peer in the queue mask of a register. A larger full mesh needs a message bus.</summary>
    public const int MaxPeers = 64;

    /// <summary>Peers beside a bus, which takes two of the bits.</summary>
    public const int MaxPeersWithBus = MaxPeers - 2;

    public static readonly PeeringSettings Off = new(false, [Policy.Drop], []);

    /// <summary>The message bus; null for none.</summary>
    public BusPlan? Bus { get; init; }
}

/// <param name="Host">Name or address; also the peer's name in answers and logs.</param>
/// <param name="Token">UUID token of this node's client on the peer.</param>
/// <param name="CaFile">PEM file of trusted certificate authorities; null for the system's.</param>
/// <param name="CertFile">PEM client certificate; its key is in <paramref name="KeyFile"/>.</param>
/// <param name="Fingerprint"><c>sha256:</c> and lower-case digits of the only certificate to trust; null: name and authority decide.</param>
public sealed record PeerSettings(
    string Host, int Port, bool Tls, Guid Token, string? CaFile = null, string? CertFile = null, string? KeyFile = null, string? Fingerprint = null)
{
    /// <summary>Never contains the token.</summary>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
