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

/// <summary>When a new log file is begun; days and weeks are those of UTC.</summary>
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
    /// <summary>It is made; the log and a header warn.</summary>
    Warn,
    Refuse,
    Off,
}

/// <summary>All of couic.toml, checked. Immutable; <see cref="SettingsReader"/> makes it.</summary>
public sealed record Settings
{
    /// <summary>Names of interfaces, distinct; empty only where <c>allow_no_ifaces</c> says so.</summary>
    public required IReadOnlyList<string> Ifaces { get; init; }

    /// <summary>Whether the daemon does not start unless every interface can be attached.</summary>
    public bool RequireIfaces { get; init; }

    public OperationMode OperationMode { get; init; }

    /// <summary>Never <see cref="MatchSides.None"/>.</summary>
    public MatchSides Match { get; init; } = MatchSides.Source;

    /// <summary>Absolute path.</summary>
    public required string WorkingDir { get; init; }

    /// <summary>A name of /etc/passwd, or a number; see <see cref="Accounts"/>.</summary>
    public required string User { get; init; }

    /// <summary>A name of /etc/group, or a number.</summary>
    public required string Group { get; init; }

    public required LoggingSettings Logging { get; init; }

    public required ServerSettings Server { get; init; }

    public LimitSettings Limits { get; init; } = new();

    public ReportingSettings Reporting { get; init; } = new();

    public PeeringSettings Peering { get; init; } = new();

    public GuardSettings Guard { get; init; } = new();
}

/// <param name="Dir">Folder of the log files, absolute; null for none.</param>
/// <param name="MaxLogFiles">Days, or weeks, whose files are kept, the one being written included.</param>
/// <param name="MaxFileBytes">From here on a further file is begun.</param>
/// <param name="MaxTotalBytes">All files together; the oldest go first.</param>
public sealed record LoggingSettings(
    string? Dir,
    LogRotation Rotation = LogRotation.Daily,
    int MaxLogFiles = 7,
    LogFormat Format = LogFormat.Text,
    LogLevel Level = LogLevel.Information,
    int MaxFileBytes = 100 * 1024 * 1024,
    int MaxTotalBytes = 1024 * 1024 * 1024);

/// <param name="Socket">Path of the API's socket, absolute.</param>
public sealed record ServerSettings(string Socket);

/// <param name="Webhook">Set when <paramref name="Enabled"/>. Its path is a secret: never to be shown whole.</param>
public sealed record ReportingSettings(bool Enabled = false, Uri? Webhook = null);

public sealed record GuardSettings(GuardMode Mode = GuardMode.Warn);
