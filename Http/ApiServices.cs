using Couic.Access;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Http;

/// <summary>What the endpoints work on.</summary>
internal sealed record ApiServices(RuleStore Store, ClientDirectory Clients, IDataPlane Plane, TimeProvider Time, ILoggerFactory Logs)
{
    /// <summary>The area of the log for what was done over the API.</summary>
    public ILogger Audit { get; } = Logs.CreateLogger("audit");

    public ILogger Log { get; } = Logs.CreateLogger("api");

    /// <summary>Answers by status; the server counts them, the metrics show them.</summary>
    public StatusCounters Counters { get; } = new();

    public HttpLimits Limits { get; init; } = HttpLimits.Default;

    /// <summary>Seconds since 1970.</summary>
    public ulong Now => (ulong)Time.GetUtcNow().ToUnixTimeSeconds();

    /// <summary>What an entry decided; null where that is not counted.</summary>
    public EntryHits? Hits(Policy policy, in Entry entry) => Plane.TryReadHits(policy, entry.Cidr, entry.Slot, out EntryHits hits) ? hits : null;
}
