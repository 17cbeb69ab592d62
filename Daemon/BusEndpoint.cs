using System.Text.Json;
using Couic.Api;
using Couic.Api.Access;
using Couic.Api.Contracts;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Peering;

namespace Couic.Daemon;

/// <summary>The state of the message bus for operators.</summary>
internal sealed class BusEndpoint(PeeringService peering)
{
    public const string OffMessage = "no bus is configured ([bus] enabled in the configuration)";

    public void Register(ApiRouter router) => router.Map(Verb.Get, "/v1/bus", Permission.Stats, ShowAsync);

    private async ValueTask ShowAsync(Exchange exchange)
    {
        if (!await exchange.OffloadAsync(WorkClass.Blocking)) // a session that applies many rules blocks readers of its status
        {
            return;
        }

        if (peering.BusStatus() is not { } status)
        {
            exchange.Fail(404, ErrorCode.NotFound, OffMessage);
            return;
        }

        using var writer = new Utf8JsonWriter(exchange.Answer(200));
        JsonSerializer.Serialize(writer, RecordOf(status), WireJson.Default.BusRecord);
    }

    private static BusRecord RecordOf(BusStatus status)
    {
        BusCounters counts = status.Counters;
        return new BusRecord(
            status.Name,
            StateOf(status),
            [.. status.Servers],
            status.Server,
            status.Messages,
            status.Pending,
            status.HasJoined ? Math.Round(status.Lag.TotalSeconds, 3) : null,
            (ulong)status.Marked,
            Math.Round(status.OldestMarked.TotalSeconds, 3),
            status.LastError,
            status.LastErrorAt is { } at ? (ulong)at.ToUnixTimeSeconds() : null,
            new BusCounts(
                (ulong)counts.Published, (ulong)counts.Unacknowledged, (ulong)counts.Received, (ulong)counts.Applied, (ulong)counts.Repaired,
                (ulong)counts.Malformed, (ulong)counts.LaterVersion, (ulong)counts.Deleted, (ulong)counts.Swept, (ulong)counts.Opened, (ulong)counts.Failures));
    }

    private static string StateOf(BusStatus status) => status.State.ToString().ToLowerInvariant();
}
