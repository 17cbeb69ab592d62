using System.Globalization;
using System.Text;
using System.Text.Json;
using Couic.Api;
using Couic.Api.Access;
using Couic.Api.Contracts;
using Couic.Api.Endpoints;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Peering;
using Couic.Store;

namespace Couic.Daemon;

/// <summary>
/// What peers send and what the operator asks about them. It stands here because the API and peering do not know each
/// other.
/// </summary>
internal sealed class PeerEndpoints(PeeringService peering)
{
    /// <summary>Bodies beyond it are worked on outside the event loop.</summary>
    private const int SmallBody = 16 * 1024;

    /// <summary>For which a batch is applied at a time.</summary>
    private static readonly TimeSpan Turn = TimeSpan.FromMilliseconds(5);

    private readonly Comparisons _comparisons = new();

    /// <summary>Differences that are listed; whoever has more has another problem.</summary>
    private const int MaxDifferences = 1_000;

    public void Register(ApiRouter router)
    {
        router.Map(Verb.Post, "/v1/{policy}/peer", Permission.PeerWrite, TakeJobsAsync);
        router.Map(Verb.Post, "/v1/{policy}/peer/sync", Permission.PeerWrite, SyncAsync);
        router.Map(Verb.Get, "/v1/peers", Permission.Stats, ListAsync);
        router.Map(Verb.Get, "/v1/peers/{host}/diff", Permission.EntriesRead, CompareAsync);
    }

    private async ValueTask TakeJobsAsync(Exchange exchange)
    {
        if (!MayUse(exchange, out Policy policy))
        {
            return;
        }

        if (!MediaType.IsJson(exchange.SentContentType))
        {
            exchange.Fail(415, ErrorCode.BadRequest, "the content type must be application/json");
            return;
        }

        if (!await exchange.ReadBodyAsync())
        {
            return;
        }

        if (exchange.Body.Length > SmallBody)
        {
            if (!await exchange.OffloadAsync(WorkClass.Long))
            {
                return;
            }
        }

        switch (PeerJobReader.TryRead(exchange.BodyMemory, out IncomingBatch batch, out string message))
        {
            case PeerBodyFault.NotJson:
                exchange.Fail(400, ErrorCode.BadRequest, message);
                return;
            case PeerBodyFault.Invalid:
                exchange.Fail(422, ErrorCode.Invalid, message);
                return;
            default:
                break;
        }

        if (peering.Objection(policy, batch, exchange.ClientName) is { } objection)
        {
            exchange.Fail(422, ErrorCode.Invalid, objection);
            return;
        }

        if (await ApplyAsync(exchange, peering.Begin(policy, batch, exchange.ClientName)))
        {
            Confirm(exchange, batch);
        }
    }

    /// <summary>
    /// Small batches are applied on the event loop for as long as that delays no other client; what is left, and large
    /// batches, off it, with pauses for others that wait to compute.
    /// </summary>
    /// <returns>False: answered already.</returns>
    private static async ValueTask<bool> ApplyAsync(Exchange exchange, BatchRun run)
    {
        while (!run.Run(Turn))
        {
            exchange.ReleaseWorker();
            if (!await exchange.OffloadAsync(WorkClass.Long))
            {
                return false;
            }

            await Exchange.YieldAsync(); // a thread that waits for the store gets it between two turns
        }

        return true;
    }

    /// <summary>RFC 7240: who asks for nothing gets nothing; older nodes parse the echo.</summary>
    private static void Confirm(Exchange exchange, IncomingBatch batch)
    {
        if (exchange.TryGetHeader("prefer"u8, out ReadOnlySpan<byte> preference)
            && Encoding.ASCII.GetString(preference).Split(',', ';').Any(p => p.Trim().Replace("\"", string.Empty).Equals("return=minimal", StringComparison.OrdinalIgnoreCase)))
        {
            exchange.AnswerNothing();
            exchange.AddHeader("preference-applied"u8, "return=minimal"u8);
        }
        else
        {
            PeerJobWriter.WriteEcho(batch, exchange.Answer(201));
        }
    }

    private async ValueTask SyncAsync(Exchange exchange)
    {
        if (!MayUse(exchange, out Policy policy))
        {
            return;
        }

        if (!peering.Travels(policy))
        {
            exchange.Fail(404, ErrorCode.NotFound, PeeringService.OffMessage);
            return;
        }

        if (!await exchange.ReadBodyAsync())
        {
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Long)) // it may read many rules
        {
            return;
        }

        switch (peering.ServeSync(policy, exchange.Body, exchange.Answer(200, AnswerType.Binary), exchange.ClientName))
        {
            case SyncOutcome.Malformed:
                exchange.Fail(400, ErrorCode.BadRequest, "the body is no message of a peer");
                break;
            case SyncOutcome.Forbidden:
                exchange.FailForbidden();
                break;
            case SyncOutcome.ClockOff:
                exchange.Fail(400, ErrorCode.BadRequest, "the clocks of the two nodes differ by more than 24 h: one of them is wrong");
                break;
            default:
                break;
        }
    }

    /// <summary>A leaked token of a peer must not be able to allow-list anybody, unless the configuration says so.</summary>
    private bool MayUse(Exchange exchange, out Policy policy)
    {
        policy = PathReader.Policy(exchange, 0);
        if (PathReader.Failed(exchange))
        {
            return false;
        }

        if (!peering.Takes(policy) && exchange.Client().Group != Group.Admin)
        {
            exchange.FailForbidden();
            return false;
        }

        return true;
    }

    private async ValueTask ListAsync(Exchange exchange)
    {
        if (!await exchange.OffloadAsync(WorkClass.Blocking)) // a link that is applying many rules keeps its status to itself meanwhile
        {
            return;
        }

        PeerRecord[] records = [.. peering.Status().Select(RecordOf)];
        using var writer = new Utf8JsonWriter(exchange.Answer(200));
        JsonSerializer.Serialize(writer, records, WireJson.Default.PeerRecordArray);
    }

    private async ValueTask CompareAsync(Exchange exchange)
    {
        string host = exchange.ParameterText(0);
        if (!peering.Knows(host))
        {
            exchange.Fail(404, ErrorCode.NotFound, $"no peer \"{host}\" is configured");
            return;
        }

        using Comparisons.Place? place = _comparisons.TryEnter(exchange.ClientName);
        if (place is null)
        {
            exchange.Fail(409, ErrorCode.Conflict, $"compare with peer \"{host}\": too many comparisons are running (wait for their answers)");
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Blocking))
        {
            return;
        }

        // Begun only now: a request that is not admitted costs the peer nothing.
        Task<PeerDifferences>? comparison = peering.CompareAsync(host, MaxDifferences);
        exchange.ReleaseWorker(); // the peer may take its time
        PeerDifferences differences = comparison is null ? new PeerDifferences([], false, "it was taken out of the configuration") : await comparison;
        if (differences.Fault is { } fault)
        {
            exchange.Fail(409, ErrorCode.Conflict, $"compare with peer \"{host}\": {fault}");
            return;
        }

        var record = new PeerDiffRecord(host, [.. differences.Items.Select(RecordOf)], differences.IsTruncated);
        using var writer = new Utf8JsonWriter(exchange.Answer(200));
        JsonSerializer.Serialize(writer, record, WireJson.Default.PeerDiffRecord);
    }

    private static PeerRecord RecordOf(PeerStatus status) => new(
        status.Host,
        status.Port,
        status.Tls,
        status.State.ToString().ToLowerInvariant(),
        status.Plain,
        (ulong)status.Queued,
        Math.Round(status.OldestQueued.TotalSeconds, 3),
        Seconds(status.LastSuccess),
        status.LastError,
        Seconds(status.LastErrorAt),
        status.ClockOffset is { } offset ? Math.Round(offset.TotalSeconds, 3) : null,
        status.InSync,
        [.. status.Refused.Select(policy => policy.Name())]);

    private static Api.Contracts.PeerDifference RecordOf(Peering.PeerDifference difference) => new(
        difference.Policy.Name(), difference.Cidr.ToString(), RuleOf(difference.Here), RuleOf(difference.There));

    private static PeerRule? RuleOf(Peering.PeerDifference.Rule? rule) =>
        rule is null ? null : new PeerRule(rule.Tag.Length == 0 ? null : rule.Tag, rule.Expiration);

    private static ulong? Seconds(DateTimeOffset? time) => time is { } at ? (ulong)at.ToUnixTimeSeconds() : null;
}

/// <summary>Counts the comparisons with peers that run, so that no client can start any number at once. Thread-safe.</summary>
internal sealed class Comparisons
{
    public const int MaxPerClient = 2;
    public const int MaxTotal = 16;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _running = [];
    private int _total;

    /// <summary>Null when the client, or all together, have as many as they may. To be disposed of at the end.</summary>
    public Place? TryEnter(string client)
    {
        lock (_gate)
        {
            int running = _running.GetValueOrDefault(client);
            if (running >= MaxPerClient || _total >= MaxTotal)
            {
                return null;
            }

            _running[client] = running + 1;
            _total++;
            return new Place(this, client);
        }
    }

    private void Leave(string client)
    {
        lock (_gate)
        {
            _total--;
            if (--_running[client] == 0)
            {
                _running.Remove(client);
            }
        }
    }

    public sealed class Place(Comparisons owner, string client) : IDisposable
    {
        public void Dispose() => owner.Leave(client);
    }
}
