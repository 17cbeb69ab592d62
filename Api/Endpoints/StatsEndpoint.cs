using System.Buffers;
using Couic.Api.Access;
using Couic.Api.Metrics;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>Statistics of actions and tags, as JSON and as text for Prometheus.</summary>
internal sealed class StatsEndpoint(ApiServices services)
{
    private readonly StatsReader _stats = new(services.Store, services.Plane);

    public void Register(ApiRouter router)
    {
        router.Map(Verb.Get, "/v1/stats", Permission.Stats, StatsAsync);
        router.Map(Verb.Get, "/v1/stats/tags/{policy}", Permission.Stats, TagsAsync);
        router.Map(Verb.Get, "/v1/metrics", Permission.Stats, MetricsAsync);
    }

    private async ValueTask StatsAsync(Exchange exchange)
    {
        if (!await exchange.OffloadAsync(WorkClass.Short)) // system calls, one or more for each counter
        {
            return;
        }

        IBufferWriter<byte> body = exchange.Answer(200);
        body.Raw("{"u8);
        WriteStats(body);
        body.Raw("}"u8);
    }

    private async ValueTask TagsAsync(Exchange exchange)
    {
        Policy policy = PathReader.Policy(exchange, 0);
        if (PathReader.Failed(exchange))
        {
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Short))
        {
            return;
        }

        WriteTags(exchange.Answer(200), policy);
    }

    private async ValueTask MetricsAsync(Exchange exchange)
    {
        int formats = exchange.Query.Find("format"u8, out string format);
        if (formats > 1)
        {
            exchange.Fail(400, ErrorCode.BadRequest, "the query has more than one \"format\"");
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Short))
        {
            return;
        }

        if (format == "prometheus")
        {
            WriteMetrics(exchange);
            return;
        }

        IBufferWriter<byte> body = exchange.Answer(200);
        body.Raw("{"u8);
        WriteStats(body);
        body.Raw(",\"drop_tags\":"u8);
        WriteTags(body, Policy.Drop);
        body.Raw(",\"ignore_tags\":"u8);
        WriteTags(body, Policy.Ignore);
        body.Raw("}"u8);
    }

    private void WriteMetrics(Exchange exchange)
    {
        MetricsForm form = FormFor(exchange);
        IBufferWriter<byte> body = exchange.Answer(200, form == MetricsForm.Plain ? AnswerType.PlainMetrics : AnswerType.OpenMetrics);
        exchange.AddHeader("vary"u8, "accept"u8);
        new MetricsWriter(services, _stats).Write(new MetricsText(body, form));
    }

    /// <summary>OpenMetrics, unless the client prefers the older form.</summary>
    private static MetricsForm FormFor(Exchange exchange)
    {
        if (!exchange.TryGetHeader("accept"u8, out ReadOnlySpan<byte> accept))
        {
            return MetricsForm.OpenMetrics;
        }

        int open = AcceptReader.Weight(accept, "application"u8, "openmetrics-text"u8, "1.0.0"u8);
        int plain = AcceptReader.Weight(accept, "text"u8, "plain"u8, "0.0.4"u8);
        return plain > open ? MetricsForm.Plain : MetricsForm.OpenMetrics;
    }

    private void WriteStats(IBufferWriter<byte> body)
    {
        body.Raw("\"drop_cidr_count\":"u8);
        body.Number((long)services.Store.Count(Policy.Drop));
        body.Raw(",\"ignore_cidr_count\":"u8);
        body.Number((long)services.Store.Count(Policy.Ignore));
        body.Raw(",\"xdp\":{"u8);
        Counter[] counters = _stats.ReadActions();
        for (int i = 0; i < counters.Length; i++)
        {
            WriteCounter(body, i == 0, StatsReader.Actions[i], counters[i]);
        }

        body.Raw("}"u8);
    }

    private void WriteTags(IBufferWriter<byte> body, Policy policy)
    {
        body.Raw("{\"tags\":{"u8);
        bool first = true;
        foreach (TagCount tag in _stats.ReadTags(policy))
        {
            WriteCounter(body, first, tag.Tag, tag.Count);
            first = false;
        }

        body.Raw("}}"u8);
    }

    private static void WriteCounter(IBufferWriter<byte> body, bool first, string name, Counter counter)
    {
        body.Raw(first ? ""u8 : ","u8);
        body.String(name);
        body.Raw(":{\"rx_packets\":"u8);
        body.Number(counter.Packets);
        body.Raw(",\"rx_bytes\":"u8);
        body.Number(counter.Bytes);
        body.Raw("}"u8);
    }
}
