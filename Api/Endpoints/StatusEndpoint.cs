using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Couic.Api.Access;
using Couic.Api.Contracts;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>The daemon on one screen, for any client; and the reload of everything, for administrators.</summary>
internal sealed class StatusEndpoint(ApiServices services)
{
    public void Register(ApiRouter router)
    {
        router.Map(Verb.Get, "/v1/status", Permission.Any, StatusAsync);
        if (services.Reload is not null)
        {
            router.Map(Verb.Post, "/v1/reload", Permission.Clients, ReloadAsync, ignoresBody: true);
        }
    }

    private async ValueTask StatusAsync(Exchange exchange)
    {
        if (!await exchange.OffloadAsync(WorkClass.Short))
        {
            return;
        }

        StatusFacts facts = services.Facts?.Invoke() ?? new StatusFacts([], []);
        ReloadStatus? sets = services.Sets?.Last is not { } loaded ? null
            : new ReloadStatus((ulong)loaded.Time.ToUnixTimeSeconds(), loaded.IsOk, loaded.IsOk ? null : loaded.PublicMessage, loaded.IsStart);
        IReadOnlyList<FaultStatus> faults = facts.Faults?.Invoke() ?? [];
        var status = new StatusRecord(
            services.Version,
            (ulong)services.Time.GetElapsedTime(services.StartedAt).TotalSeconds,
            (ulong)services.Started.ToUnixTimeSeconds(),
            [.. facts.Match],
            [.. facts.Interfaces.Select(shown => shown with { Configured = shown.Configured ?? shown.Name })],
            facts.Attacher,
            [.. Policies.All.ToArray().SelectMany(policy => (TableStatus[])[Table(policy, IpFamily.V4), Table(policy, IpFamily.V6)])],
            [.. Policies.All.ToArray().Select(Tags)],
            (ulong)services.Plane.ReadMemory().Sum(map => map.Bytes),
            (ulong)Environment.WorkingSet,
            facts.Peers,
            Last(facts.Configuration, sets),
            new ReloadsStatus(facts.Configuration, sets),
            facts.Consistency,
            facts.Guard,
            faults.Count == 0 ? "ok" : "degraded",
            [.. faults],
            facts.Certificate,
            facts.Journal,
            facts.Restart,
            Client: new ClientStatus(exchange.ClientName, exchange.Client().Group.Name(), [.. Permissions.Words(exchange.Client().Group)]));
        await using var writer = new Utf8JsonWriter(exchange.Answer(200), new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        JsonSerializer.Serialize(writer, status, WireJson.Default.StatusRecord);
    }

    private TableStatus Table(Policy policy, IpFamily family) => new(
        policy.Name(), family == IpFamily.V4 ? "ipv4" : "ipv6", (ulong)services.Store.Count(policy, family), (ulong)services.Store.Limits.Entries(policy));

    private TagStatus Tags(Policy policy) => new(
        policy.Name(), (ulong)services.Store.Tags(policy).Count(tag => tag.Tag.Length > 0), (ulong)services.Store.Limits.MaxTags);

    /// <summary>A failure is shown before later events until it is repaired.</summary>
    private static LastReload? Last(ReloadStatus? configuration, ReloadStatus? sets) =>
        new[] { configuration, sets }.Where(one => one is { Ok: false } or { AtStart: false }).OrderBy(one => one!.Ok).ThenByDescending(one => one!.At)
            .Select(one => new LastReload(one!.At, one.Ok, one.Message)).FirstOrDefault();

    /// <summary>Reloads configuration and sets: for administrators, as it may change the peers.</summary>
    private async ValueTask ReloadAsync(Exchange exchange)
    {
        if (!await exchange.OffloadAsync(WorkClass.Blocking))
        {
            return;
        }

        ReloadResult result = await services.Reload!(exchange.ClientName, EntryRules.Stance(exchange.Query), EntryRules.Requester(exchange.Query));
        if (!result.Ok)
        {
            exchange.Fail(422, ErrorCode.Invalid, result.Message);
            return;
        }

        IBufferWriter<byte> body = exchange.Answer(200);
        body.Raw("{\"reload_status\":\"OK\",\"message\":"u8);
        body.String(result.Message);
        Warnings.WriteMember(body, result.Warnings);
        body.Raw("}"u8);
        Warnings.AddHeader(exchange, result.Warnings);
    }
}
