namespace Couic.Api.Contracts;

/// <summary>Packets and bytes that were counted.</summary>
public sealed record CounterRecord(ulong RxPackets, ulong RxBytes);

/// <summary>The answer of <c>GET /v1/stats</c>.</summary>
/// <param name="Xdp">By action, such as <c>XDP_DROP</c>.</param>
public sealed record StatsRecord(ulong DropCidrCount, ulong IgnoreCidrCount, Dictionary<string, CounterRecord> Xdp);

/// <summary>The answer of <c>GET /v1/stats/tags/{policy}</c>.</summary>
public sealed record TagStatsRecord(Dictionary<string, CounterRecord> Tags);
