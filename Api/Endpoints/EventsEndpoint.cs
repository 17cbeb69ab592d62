using System.IO.Pipelines;
using System.Text;
using Couic.Api.Access;
using Couic.Api.Events;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>The stream of events: each client sees the types that its group may read.</summary>
internal sealed class EventsEndpoint(EventHub hub)
{
    public void Register(ApiRouter router) => router.Map(Verb.Get, "/v1/events", Permission.Events, StreamAsync);

    private async ValueTask StreamAsync(Exchange exchange)
    {
        if (!TryReadFilter(exchange, out EventFilter filter))
        {
            return;
        }

        bool isLines = exchange.TryGetHeader("accept"u8, out ReadOnlySpan<byte> accept)
            && AcceptReader.Weight(accept, "application"u8, "x-ndjson"u8, default) > AcceptReader.Weight(accept, "text"u8, "event-stream"u8, default);
        var listener = new EventListener(exchange, exchange.Client(), filter, isLines);
        if (exchange.Verb == Verb.Head)
        {
            await BeginAsync(exchange, isLines);
            return;
        }

        _ = exchange.TryGetHeader("last-event-id"u8, out ReadOnlySpan<byte> after);
        if (!hub.TryAdd(listener, after))
        {
            exchange.Fail(409, ErrorCode.Conflict, $"too many listeners ({EventHub.MaxListeners}, {EventHub.MaxPerClient} per client): one has to leave first");
            return;
        }

        try
        {
            if (await BeginAsync(exchange, isLines) is { } body)
            {
                await hub.ServeAsync(listener, body);
            }
        }
        finally
        {
            hub.Remove(listener);
        }
    }

    private static ValueTask<PipeWriter?> BeginAsync(Exchange exchange, bool isLines)
    {
        exchange.AddHeader("cache-control"u8, "no-store"u8);
        exchange.AddHeader("x-accel-buffering"u8, "no"u8); // nginx would keep events until its buffer is full
        exchange.AddHeader("vary"u8, "accept"u8);
        return exchange.BeginEndlessStreamAsync(200, isLines ? AnswerType.Lines : AnswerType.Events);
    }

    private static bool TryReadFilter(Exchange exchange, out EventFilter filter)
    {
        Query query = exchange.Query;
        Policy? wanted = null;
        if (query.Find("policy"u8, out string policy) > 0)
        {
            if (!Policies.TryParse(policy, out Policy parsed))
            {
                exchange.AddFault("policy", "unknown policy; \"drop\" or \"ignore\" is expected");
            }

            wanted = parsed;
        }

        filter = new EventFilter
        {
            Policy = wanted,
            Tags = query.Find("tag"u8, out string tags) > 0 ? Array.ConvertAll(tags.Split(','), one => new TagPattern(one)) : null,
        };
        if (query.Find("type"u8, out string types) == 0)
        {
            foreach (EventType type in EventWords.Types)
            {
                if (exchange.Client().Group.Allows(PermissionFor(type)))
                {
                    filter.Add(type);
                }
            }

            return !PathReader.Failed(exchange);
        }

        bool isForbidden = false;
        foreach (string word in types.Split(','))
        {
            if (!EventWords.TryParse(Encoding.UTF8.GetBytes(word), out EventType type))
            {
                exchange.AddFault("type", "unknown type; a list of \"rule\", \"set\", \"client\", \"interface\", \"peer\" with commas is expected");
                break;
            }

            isForbidden |= !exchange.Client().Group.Allows(PermissionFor(type));
            filter.Add(type);
        }

        if (isForbidden)
        {
            exchange.FailForbidden();
            return false;
        }

        return !PathReader.Failed(exchange);
    }

    /// <summary>Events tell no more than the lists of their type.</summary>
    private static Permission PermissionFor(EventType type) => type switch
    {
        EventType.Rule => Permission.EntriesRead,
        EventType.Set => Permission.SetsRead,
        EventType.Client => Permission.Clients,
        EventType.Peer => Permission.Stats,
        _ => Permission.Any,
    };
}
