using System.Buffers;
using System.Text.Json;
using Couic.Api.Access;
using Couic.Api.Contracts;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Sets;
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
        IBufferWriter<byte> body = exchange.Answer(200);
        body.Raw("{\"version\":"u8);
        body.String(services.Version);
        body.Raw(",\"uptime_secs\":"u8);
        body.Number((long)services.Time.GetElapsedTime(services.StartedAt).TotalSeconds);
        body.Raw(",\"started_at\":"u8);
        body.Number(services.Started.ToUnixTimeSeconds());
        WriteInterfaces(body, facts);
        WriteTables(body);
        WriteMemory(body);
        WritePeers(body, facts.Peers);
        WriteReloads(body, facts.Configuration, services.Sets?.Last);
        WriteConsistency(body, facts.Consistency);
        body.Raw(",\"guard\":"u8);
        body.Raw(facts.Guard is { } guard ? JsonSerializer.SerializeToUtf8Bytes(guard, WireJson.Default.GuardStatus) : "null"u8);
        WriteHealth(body, facts.Faults?.Invoke() ?? []);
        body.Raw("}"u8);
    }

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

    private static void WriteInterfaces(IBufferWriter<byte> body, StatusFacts facts)
    {
        body.Raw(",\"match\":["u8);
        for (int i = 0; i < facts.Match.Count; i++)
        {
            body.Raw(i == 0 ? ""u8 : ","u8);
            body.String(facts.Match[i]);
        }

        body.Raw("],\"interfaces\":["u8);
        for (int i = 0; i < facts.Interfaces.Count; i++)
        {
            InterfaceStatus shown = facts.Interfaces[i];
            body.Raw(i == 0 ? "{\"configured\":"u8 : ",{\"configured\":"u8);
            body.String(shown.Configured ?? shown.Name);
            body.Raw(",\"name\":"u8);
            body.String(shown.Name);
            body.Raw(",\"mode\":"u8);
            WriteText(body, shown.Mode);
            body.Raw(",\"state\":"u8);
            body.String(shown.State);
            body.Raw(",\"error\":"u8);
            WriteText(body, shown.Error);
            body.Raw("}"u8);
        }

        body.Raw("],\"attacher\":"u8);
        WriteText(body, facts.Attacher);
    }

    private static void WriteText(IBufferWriter<byte> body, string? text)
    {
        if (text is null)
        {
            body.Raw("null"u8);
        }
        else
        {
            body.String(text);
        }
    }

    private void WriteTables(IBufferWriter<byte> body)
    {
        body.Raw(",\"tables\":["u8);
        bool first = true;
        foreach (Policy policy in Policies.All)
        {
            foreach (IpFamily family in (ReadOnlySpan<IpFamily>)[IpFamily.V4, IpFamily.V6])
            {
                body.Raw(first ? "{\"policy\":\""u8 : ",{\"policy\":\""u8);
                body.Raw(policy.Utf8Name());
                body.Raw(family == IpFamily.V4 ? "\",\"family\":\"ipv4\",\"entries\":"u8 : "\",\"family\":\"ipv6\",\"entries\":"u8);
                body.Number((long)services.Store.Count(policy, family));
                body.Raw(",\"limit\":"u8);
                body.Number((long)services.Store.Limits.Entries(policy));
                body.Raw("}"u8);
                first = false;
            }
        }

        body.Raw("],\"tags\":["u8);
        foreach (Policy policy in Policies.All)
        {
            body.Raw(policy == Policy.Drop ? "{\"policy\":\""u8 : ",{\"policy\":\""u8);
            body.Raw(policy.Utf8Name());
            body.Raw("\",\"used\":"u8);
            body.Number((long)services.Store.Tags(policy).Count(tag => tag.Tag.Length > 0));
            body.Raw(",\"limit\":"u8);
            body.Number((long)services.Store.Limits.MaxTags);
            body.Raw("}"u8);
        }

        body.Raw("]"u8);
    }

    private void WriteMemory(IBufferWriter<byte> body)
    {
        body.Raw(",\"kernel_memory_bytes\":"u8);
        body.Number(services.Plane.ReadMemory().Sum(map => map.Bytes));
        body.Raw(",\"resident_memory_bytes\":"u8);
        body.Number(Environment.WorkingSet);
    }

    private static void WritePeers(IBufferWriter<byte> body, PeersStatus? peers)
    {
        if (peers is null)
        {
            body.Raw(",\"peers\":null"u8);
            return;
        }

        body.Raw(",\"peers\":{\"configured\":"u8);
        body.Number(peers.Configured);
        body.Raw(",\"up\":"u8);
        body.Number(peers.Up);
        body.Raw(",\"in_sync\":"u8);
        body.Number(peers.InSync);
        body.Raw(",\"queued\":"u8);
        body.Number(peers.Queued);
        body.Raw("}"u8);
    }

    private static void WriteReloads(IBufferWriter<byte> body, ReloadStatus? configuration, SetReload? loaded)
    {
        ReloadStatus? sets = loaded is null ? null
            : new ReloadStatus((ulong)loaded.Time.ToUnixTimeSeconds(), loaded.IsOk, loaded.IsOk ? null : loaded.PublicMessage, loaded.IsStart);

        // A failure is shown before later events until it is repaired.
        ReloadStatus? last = new[] { configuration, sets }.Where(one => one is { Ok: false } or { AtStart: false }).OrderBy(one => one!.Ok).ThenByDescending(one => one!.At)
            .FirstOrDefault();
        body.Raw(",\"last_reload\":"u8);
        WriteReload(body, last, withStart: false);
        body.Raw(",\"reloads\":{\"configuration\":"u8);
        WriteReload(body, configuration, withStart: true);
        body.Raw(",\"sets\":"u8);
        WriteReload(body, sets, withStart: true);
        body.Raw("}"u8);
    }

    private static void WriteReload(IBufferWriter<byte> body, ReloadStatus? reload, bool withStart)
    {
        if (reload is null)
        {
            body.Raw("null"u8);
            return;
        }

        body.Raw("{\"at\":"u8);
        body.Number(reload.At);
        body.Raw(reload.Ok ? ",\"ok\":true,\"message\":"u8 : ",\"ok\":false,\"message\":"u8);
        WriteText(body, reload.Message);
        if (withStart)
        {
            body.Raw(reload.AtStart ? ",\"at_start\":true"u8 : ",\"at_start\":false"u8);
        }

        body.Raw("}"u8);
    }

    private static void WriteHealth(IBufferWriter<byte> body, IReadOnlyList<FaultStatus> faults)
    {
        body.Raw(faults.Count == 0 ? ",\"health\":\"ok\",\"faults\":["u8 : ",\"health\":\"degraded\",\"faults\":["u8);
        for (int i = 0; i < faults.Count; i++)
        {
            body.Raw(i == 0 ? "{\"kind\":"u8 : ",{\"kind\":"u8);
            body.String(faults[i].Kind);
            body.Raw(",\"subject\":"u8);
            WriteText(body, faults[i].Subject);
            body.Raw(",\"message\":"u8);
            body.String(faults[i].Message);
            body.Raw("}"u8);
        }

        body.Raw("]"u8);
    }

    private static void WriteConsistency(IBufferWriter<byte> body, ConsistencyStatus? consistency)
    {
        if (consistency is null)
        {
            body.Raw(",\"consistency\":null"u8);
            return;
        }

        body.Raw(consistency.Ok ? ",\"consistency\":{\"ok\":true,\"last_check\":"u8 : ",\"consistency\":{\"ok\":false,\"last_check\":"u8);
        if (consistency.LastCheck is { } at)
        {
            body.Number(at);
        }
        else
        {
            body.Raw("null"u8);
        }

        body.Raw(",\"drift\":"u8);
        body.Number(consistency.Drift);
        body.Raw("}"u8);
    }
}
