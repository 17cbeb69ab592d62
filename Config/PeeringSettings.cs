namespace Couic.Config;

/// <summary>The table <c>[peering]</c>.</summary>
public sealed record PeeringSettings
{
    /// <summary>The records of rules have one bit per peer.</summary>
    public const int MaxPeers = 64;

    public bool Enabled { get; init; }

    /// <summary>Whether rules of <c>drop</c> travel and are taken; the default.</summary>
    public bool Drop { get; init; } = true;

    /// <summary>Whether rules of <c>ignore</c> travel and are taken.</summary>
    public bool Ignore { get; init; }

    /// <summary>Distinct by host and port.</summary>
    public IReadOnlyList<PeerSettings> Peers { get; init; } = [];
}

/// <summary>One of <c>[[peering.peers]]</c>.</summary>
public sealed record PeerSettings
{
    /// <summary>Name or address, an IPv6 address without brackets.</summary>
    public required string Host { get; init; }

    public required int Port { get; init; }

    /// <summary>Whether to speak TLS; the certificate is always verified then.</summary>
    public bool Tls { get; init; }

    /// <summary>Our secret on that node. Never to be logged.</summary>
    public required Guid Token { get; init; }

    /// <summary>Certificates to trust instead of the system's, PEM, absolute path; null for the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>Our certificate, PEM, absolute path; with <see cref="KeyFile"/> or neither.</summary>
    public string? CertFile { get; init; }

    public string? KeyFile { get; init; }

    /// <summary>Without the token.</summary>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
