using System.Reflection;
using Couic.Api.Access;
using Couic.Api.Contracts;
using Couic.Api.Events;
using Couic.Api.Metrics;
using Couic.Http;
using Couic.Sets;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Api;

/// <summary>What the endpoints work on.</summary>
internal sealed record ApiServices(RuleStore Store, ClientDirectory Clients, IDataPlane Plane, TimeProvider Time, ILoggerFactory Logs)
{
    /// <summary>The log area of changes over the API.</summary>
    public ILogger Audit { get; } = Logs.CreateLogger("audit");

    public ILogger Log { get; } = Logs.CreateLogger("api");

    /// <summary>Answers by status; the server counts them, the metrics show them.</summary>
    public StatusCounters Counters { get; } = new();

    public EventHub Events { get; } = new(Clients, Time, Time.GetUtcNow(), ProductVersion, Logs.CreateLogger("api"));

    public HttpLimits Limits { get; init; } = HttpLimits.Default;

    /// <summary>The set files; null leaves the routes of sets out.</summary>
    public SetDirectory? SetFiles { get; init; }

    /// <summary>Brings the set files into force; null with <see cref="SetFiles"/>.</summary>
    public SetLoader? Sets { get; init; }

    /// <summary>Reads configuration and sets again, for the client of that name; null leaves the route out.</summary>
    public Func<string, LockoutStance, IReadOnlyList<ProtectedAddress>, Task<ReloadResult>>? Reload { get; init; }

    /// <summary>What the status shows of other parts; called by many threads.</summary>
    public Func<StatusFacts>? Facts { get; init; }

    /// <summary>Writers of further metrics families, called in order by many threads. Complete before the server starts.</summary>
    public List<Action<MetricsText>> MoreMetrics { get; } = [];

    /// <summary>MAJOR.MINOR.PATCH.</summary>
    public string Version { get; } = ProductVersion;

    /// <summary>When the daemon started.</summary>
    public DateTimeOffset Started { get; } = Time.GetUtcNow();

    /// <summary>The monotonic time of the same moment.</summary>
    public long StartedAt { get; } = Time.GetTimestamp();

    /// <summary>Seconds since 1970.</summary>
    public ulong Now => (ulong)Time.GetUtcNow().ToUnixTimeSeconds();

    private static string ProductVersion { get; } = Assembly.GetExecutingAssembly().GetName().Version!.ToString(3);

    /// <summary>What an entry decided; null where that is not counted.</summary>
    public EntryHits? Hits(Policy policy, in Entry entry) => Plane.TryReadHits(policy, entry.Cidr, entry.Slot, out EntryHits hits) ? hits : null;
}

/// <summary>What the status shows of parts that this folder does not know; null for what does not exist, or was not checked yet.</summary>
/// <param name="Match">What is looked up: <c>source</c>, <c>destination</c>.</param>
/// <param name="Faults">Reads files on disk, so it is called only where faults are shown.</param>
internal sealed record StatusFacts(
    IReadOnlyList<string> Match,
    IReadOnlyList<InterfaceStatus> Interfaces,
    PeersStatus? Peers = null,
    ConsistencyStatus? Consistency = null,
    string? Attacher = null,
    GuardStatus? Guard = null,
    ReloadStatus? Configuration = null,
    Func<IReadOnlyList<FaultStatus>>? Faults = null,
    CertificateStatus? Certificate = null,
    JournalStatus? Journal = null,
    RestartStatus? Restart = null);

/// <summary>The result of a reload of configuration and sets.</summary>
/// <param name="Message">One line: what could not be done, or what needs a restart; empty when all is well.</param>
internal sealed record ReloadResult(bool Ok, string Message)
{
    /// <summary>What was done, and may be a mistake.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
