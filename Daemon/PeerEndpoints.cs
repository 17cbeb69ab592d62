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
/// The routes of peers, and the operator's queries about them. They are here because the API and peering do not depend on each other.
/// </summary>
internal sealed class PeerEndpoints(PeeringService peering, ApiServices services)
{
    /// <summary>Larger bodies are processed outside the event loop.</summary>
    private const int SmallBody = 16 * 1024;

    /// <summary>How long a batch is applied without a pause.</summary>
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(5);

    private readonly Comparisons _comparisons = new();

    /// <summary>Differences that are listed.</summary>
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

        if (!RailRules.Admit(exchange, services.Time, policy, Math.Max(1, batch.Jobs.Count)))
        {
            return;
        }

        if (await ApplyAsync(exchange, peering.Begin(policy, WithinRails(exchange, batch), exchange.ClientName)))
        {
            Confirm(exchange, batch);
        }
    }

    /// <summary>The batch without the additions that break a rail of the client: the other jobs must not suffer from them.</summary>
    private IncomingBatch WithinRails(Exchange exchange, IncomingBatch batch)
    {
        if (exchange.Client().Rails is not { } rails)
        {
            return batch;
        }

        ulong now = services.Now;
        List<IncomingJob> good = [];
        string? first = null;
        foreach (IncomingJob job in batch.Jobs)
        {
            string? fault = job.IsAdd ? rails.Fault(job.Cidr, job.Tag.Span, job.Expiration, now)?.Message : null;
            first ??= fault;
            if (fault is null)
            {
                good.Add(job);
            }
        }

        if (first is not null)
        {
            AuditLog.PeerJobsOutOfRails(services.Audit, exchange.ClientName, batch.Jobs.Count - good.Count, first);
        }

        return batch with { Jobs = good };
    }

    /// <summary>
    /// Applies a small batch on the event loop as long as that delays no other client, and the rest, or a large batch, off the loop, with
    /// pauses for other waiting work.
    /// </summary>
    /// <returns>False when the request has been answered.</returns>
    private static async ValueTask<bool> ApplyAsync(Exchange exchange, BatchRun run)
    {
        while (!run.Run(Slice))
        {
            exchange.ReleaseWorker();
            if (!await exchange.OffloadAsync(WorkClass.Long))
            {
                return false;
            }

            await Exchange.YieldAsync(); // lets a thread that waits for the store run between two slices
        }

        return true;
    }

    /// <summary>RFC 7240: a client may ask for no body; older nodes parse the echo.</summary>
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
                exchange.Fail(400, ErrorCode.BadRequest, "the body is not a message of a peer");
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

    /// <summary>A leaked peer token must not be able to allow-list addresses, unless the configuration permits it.</summary>
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
        if (!await exchange.OffloadAsync(WorkClass.Blocking)) // a session that applies many rules blocks readers of its status
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

        // Started after the admission: a rejected request costs the peer nothing.
        Task<PeerDifferences>? comparison = peering.CompareAsync(host, MaxDifferences);
        exchange.ReleaseWorker(); // the peer may be slow
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

/// <summary>Limits the comparisons with peers that run at once, per client and in total. Thread-safe.</summary>
internal sealed class Comparisons
{
    public const int MaxPerClient = 2;
    public const int MaxTotal = 16;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _running = [];
    private int _total;

    /// <summary>Null at the limit. The result is disposed when the comparison ends.</summary>
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
