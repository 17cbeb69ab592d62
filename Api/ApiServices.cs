using System.Reflection;
using Couic.Api.Access;
using Couic.Api.Metrics;
using Couic.Http;
using Couic.Sets;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Api;

/// <summary>What the endpoints work on.</summary>
internal sealed record ApiServices(RuleStore Store, ClientDirectory Clients, IDataPlane Plane, TimeProvider Time, ILoggerFactory Logs)
{
    /// <summary>The area of the log for what was done over the API.</summary>
    public ILogger Audit { get; } = Logs.CreateLogger("audit");

    public ILogger Log { get; } = Logs.CreateLogger("api");

    /// <summary>Answers by status; the server counts them, the metrics show them.</summary>
    public StatusCounters Counters { get; } = new();

    public HttpLimits Limits { get; init; } = HttpLimits.Default;

    /// <summary>The set files; null leaves the routes of sets out.</summary>
    public SetDirectory? SetFiles { get; init; }

    /// <summary>Brings the set files into force; null with <see cref="SetFiles"/>.</summary>
    public SetLoader? Sets { get; init; }

    /// <summary>Reads configuration and sets again, for the client of that name; null leaves the route out.</summary>
    public Func<string, LockoutStance, IReadOnlyList<ProtectedAddress>, Task<ReloadResult>>? Reload { get; init; }

    /// <summary>What the status shows of other parts; called by many threads.</summary>
    public Func<StatusFacts>? Facts { get; init; }

    /// <summary>Writers of further metrics families, called in their order by many threads. Not to be added to once serving.</summary>
    public List<Action<MetricsText>> MoreMetrics { get; } = [];

    /// <summary>MAJOR.MINOR.PATCH.</summary>
    public string Version { get; } = Assembly.GetExecutingAssembly().GetName().Version!.ToString(3);

    /// <summary>When the daemon started.</summary>
    public DateTimeOffset Started { get; } = Time.GetUtcNow();

    /// <summary>The monotonic time of the same moment.</summary>
    public long StartedAt { get; } = Time.GetTimestamp();

    /// <summary>Seconds since 1970.</summary>
    public ulong Now => (ulong)Time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>What an entry decided; null where that is not counted.</summary>
    public EntryHits? Hits(Policy policy, in Entry entry) => Plane.TryReadHits(policy, entry.Cidr, entry.Slot, out EntryHits hits) ? hits : null;
}
