using System.Net;
using Couic.Http;
using Couic.Sets;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Config;

/// <summary>How the XDP program is attached.</summary>
public enum OperationMode
{
    Generic,
    Native,
    Offloaded,

    /// <summary>Native, else generic.</summary>
    Auto,
}

/// <summary>Which addresses of a packet are looked up.</summary>
[Flags]
public enum MatchSides
{
    None = 0,
    Source = 1,
    Destination = 2,
}

/// <summary>When a new log file is started; days and weeks are those of UTC.</summary>
public enum LogRotation
{
    Daily,

    /// <summary>On Sundays.</summary>
    Weekly,
    Never,
}

public enum LogFormat
{
    Text,
    Json,
}

/// <summary>What happens to a rule that would cover an address that the operator needs.</summary>
public enum GuardMode
{
    /// <summary>The rule is created; the log and a header warn.</summary>
    Warn,
    Refuse,
    Off,
}

/// <summary>What a restart does to the rules of the API and of peers.</summary>
public enum DynamicRules
{
    /// <summary>They are in memory only: a restart forgets them.</summary>
    Volatile,

    /// <summary>A journal in <see cref="Settings.WorkingDir"/> keeps them.</summary>
    Kept,
}

/// <summary>All of couic.toml, checked. The defaults are those of couic.toml; <see cref="SettingsReader"/> sets what has none.</summary>
public sealed record Settings
{
    /// <summary>Names of interfaces, distinct.</summary>
    public IReadOnlyList<string> Ifaces { get; init; } = [];

    public bool AllowNoIfaces { get; init; }

    /// <summary>Whether the daemon does not start unless every interface can be attached.</summary>
    public bool RequireIfaces { get; init; }

    public OperationMode OperationMode { get; init; }

    /// <summary>Never <see cref="MatchSides.None"/>.</summary>
    public MatchSides Match { get; init; } = MatchSides.Source;

    /// <summary>Absolute path.</summary>
    public string WorkingDir { get; init; } = string.Empty;

    /// <summary>A name of /etc/passwd, or a number; see <see cref="Accounts"/>.</summary>
    public string User { get; init; } = string.Empty;

    /// <summary>A name of /etc/group, or a number.</summary>
    public string Group { get; init; } = string.Empty;

    public LoggingSettings Logging { get; init; } = new(null);

    /// <summary>Absolute path of the API's socket.</summary>
    public string Socket { get; init; } = string.Empty;

    /// <summary>Addresses of the network on which the API is served; without <see cref="Tls"/> only loopback ones.</summary>
    public IReadOnlyList<IPEndPoint> Listen { get; init; } = [];

    /// <summary>Networks from which clients of <see cref="Listen"/> may connect; null: from everywhere.</summary>
    public IReadOnlyList<IPNetwork>? Allow { get; init; }

    /// <summary>Null: the addresses of <see cref="Listen"/> speak plain HTTP.</summary>
    public TlsSettings? Tls { get; init; }

    /// <summary>Whether the page for browsers is served.</summary>
    public bool Page { get; init; } = true;

    public StoreLimits Store { get; init; } = StoreLimits.Default;

    public SetLimits Sets { get; init; } = SetLimits.Default;

    public HttpLimits Http { get; init; } = HttpLimits.Default;

    /// <summary>Whether packets and last hit of each entry are counted.</summary>
    public bool PerEntryCounters { get; init; } = true;

    public ReportingSettings Reporting { get; init; } = new();

    public PeeringSettings Peering { get; init; } = new();

    public BusSettings Bus { get; init; } = new();

    public GuardSettings Guard { get; init; } = new();

    public StateSettings State { get; init; } = new();

    /// <summary>The folder on a BPF file system in which links of the filter outlive the daemon; null for none.</summary>
    public string? Pin { get; init; }
}

/// <summary>The table <c>[server.tls]</c>: PEM files, absolute paths.</summary>
/// <param name="CertFile">The server's certificate, then those of the authorities between it and the root.</param>
/// <param name="KeyFile">Its private key, not encrypted.</param>
/// <param name="ClientCaFile">Authorities of clients, which then must present a certificate; null: clients need none.</param>
public sealed record TlsSettings(string CertFile, string KeyFile, string? ClientCaFile = null);

/// <param name="Dir">Folder of the log files, absolute; null for none.</param>
/// <param name="MaxLogFiles">Days, or weeks, whose files are kept, the one being written included.</param>
/// <param name="MaxFileBytes">A file that would be larger ends, and another one is started.</param>
/// <param name="MaxTotalBytes">All files in total; the oldest are deleted first.</param>
public sealed record LoggingSettings(
    string? Dir,
    LogRotation Rotation = LogRotation.Daily,
    int MaxLogFiles = 7,
    LogFormat Format = LogFormat.Text,
    LogLevel Level = LogLevel.Information,
    int MaxFileBytes = 100 * 1024 * 1024,
    int MaxTotalBytes = 1024 * 1024 * 1024);

/// <param name="Webhook">Set when <paramref name="Enabled"/>. Its path is a secret: never to be shown whole.</param>
public sealed record ReportingSettings(bool Enabled = false, Uri? Webhook = null);

public sealed record StateSettings(DynamicRules Dynamic = DynamicRules.Volatile);

public sealed record GuardSettings(GuardMode Mode = GuardMode.Warn);

/// <summary>The table <c>[peering]</c>.</summary>
public sealed record PeeringSettings
{
    /// <summary>Records of rules have one bit per peer.</summary>
    public const int MaxPeers = 64;

    /// <summary>A bus takes two of the bits.</summary>
    public const int MaxPeersWithBus = MaxPeers - 2;

    public bool Enabled { get; init; }

    /// <summary>Whether rules of <c>drop</c> are replicated.</summary>
    public bool Drop { get; init; } = true;

    /// <summary>Whether rules of <c>ignore</c> are replicated.</summary>
    public bool Ignore { get; init; }

    /// <summary>Distinct by host and port.</summary>
    public IReadOnlyList<PeerSettings> Peers { get; init; } = [];
}

/// <summary>The table <c>[bus]</c>.</summary>
public sealed record BusSettings
{
    /// <summary>Servers that are tried one after the other.</summary>
    public const int MaxServers = 16;

    public bool Enabled { get; init; }

    /// <summary>Such as <c>tls://bus1.example.net:4222</c>; distinct, at least one when enabled.</summary>
    public IReadOnlyList<string> Servers { get; init; } = [];

    /// <summary>The stream, and the first word of its subjects.</summary>
    public string Name { get; init; } = "couic";

    /// <summary>Whether rules of <c>drop</c> are replicated.</summary>
    public bool Drop { get; init; } = true;

    /// <summary>Whether rules of <c>ignore</c> are replicated.</summary>
    public bool Ignore { get; init; }

    /// <summary>Of the stream, when this node creates it.</summary>
    public int Replicas { get; init; } = 1;

    /// <summary>A secret, as <see cref="Password"/>: never to be logged.</summary>
    public string? Token { get; init; }

    public string? User { get; init; }

    public string? Password { get; init; }

    /// <summary>File with an nkey seed, absolute path.</summary>
    public string? NkeyFile { get; init; }

    /// <summary>File with a JWT and its seed, absolute path.</summary>
    public string? CredentialsFile { get; init; }

    /// <summary>Certificates to trust instead of the system's, PEM, absolute path; null for the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>Our certificate, PEM, absolute path; with <see cref="KeyFile"/> or neither.</summary>
    public string? CertFile { get; init; }

    public string? KeyFile { get; init; }

    /// <summary>The generated text would show the secrets.</summary>
    public override string ToString() => $"{Name} at {string.Join(", ", Servers)}";
}

/// <summary>One of <c>[[peering.peers]]</c>.</summary>
public sealed record PeerSettings
{
    /// <summary>Name or address, an IPv6 address without brackets.</summary>
    public string Host { get; init; } = string.Empty;

    public int Port { get; init; }

    /// <summary>Whether to speak TLS; the certificate is always verified then.</summary>
    public bool Tls { get; init; }

    /// <summary>Our secret on that node. Never to be logged.</summary>
    public Guid Token { get; init; }

    /// <summary>Certificates to trust instead of the system's, PEM, absolute path; null for the system's.</summary>
    public string? CaFile { get; init; }

    /// <summary>The only certificate to trust, as <see cref="Fingerprint"/> writes it; its name, authority and dates do not count then.</summary>
    public string? Fingerprint { get; init; }

    /// <summary>Our certificate, PEM, absolute path; with <see cref="KeyFile"/> or neither.</summary>
    public string? CertFile { get; init; }

    public string? KeyFile { get; init; }

    /// <summary>Without the token.</summary>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
