using System.Buffers;
using System.Text;
using System.Text.Json;
using Couic.Api.Access;
using Couic.Api.Events;
using Couic.Api.Json;
using Couic.Http;
using Couic.Http.Parsing;

namespace Couic.Api.Endpoints;

/// <summary>Clients: list, create, get, delete.</summary>
internal sealed class ClientsEndpoint(ApiServices services)
{
    public void Register(ApiRouter router)
    {
        router.Map(Verb.Get, "/v1/client", Permission.Clients, ListAsync);
        router.Map(Verb.Post, "/v1/client", Permission.Clients, CreateAsync);
        router.Map(Verb.Get, "/v1/client/{name}", Permission.Clients, GetAsync);
        router.Map(Verb.Delete, "/v1/client/{name}", Permission.Clients, DeleteAsync, ignoresBody: true);
    }

    private ValueTask ListAsync(Exchange exchange)
    {
        IBufferWriter<byte> body = exchange.Answer(200);
        bool first = true;
        body.Raw("["u8);
        foreach (Client client in services.Clients.List())
        {
            body.Raw(first ? ""u8 : ","u8);
            Write(body, client);
            first = false;
        }

        body.Raw("]"u8);
        return default;
    }

    private async ValueTask CreateAsync(Exchange exchange)
    {
        if (!exchange.RequireJson() || !await exchange.ReadBodyAsync() || !TryRead(exchange, out string name, out Group group, out Rails? rails))
        {
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Blocking)) // the file is written and synced
        {
            return;
        }

        switch (services.Clients.Create(name, group, rails, out Client? client, out string message))
        {
            case ClientOutcome.Ok:
                AuditLog.ClientCreated(services.Audit, name, group.Name(), exchange.ClientName, exchange.Origin);
                services.Events.ClientChanged(EventAction.Created, name, group.Name(), exchange.ClientName);
                Write(exchange.Answer(201), client!);
                break;
            case ClientOutcome.Exists:
                exchange.Fail(422, ErrorCode.Invalid, message);
                break;
            default:
                AuditLog.ClientFailed(services.Audit, name, exchange.ClientName, exchange.Origin, message);
                exchange.Fail(500, ErrorCode.Internal, message);
                break;
        }
    }

    private static bool TryRead(Exchange exchange, out string name, out Group group, out Rails? rails)
    {
        name = string.Empty;
        group = default;
        rails = null;
        try
        {
            ClientRequest.Read(exchange.Body, out ClientRequest request);
            if (NameRule.Fault(request.Name) is { } fault)
            {
                exchange.AddFault("name", fault);
            }

            if (!Groups.TryParse(request.Group, out group))
            {
                exchange.AddFault("group", $"unknown group; one of {Groups.Words} is expected");
            }

            List<(string Key, string Message)> broken = [];
            rails = request.Rails is { } record ? Rails.Create(record, group, broken) : null;
            foreach ((string key, string message) in broken)
            {
                exchange.AddFault(key == "group" ? key : $"rails.{key}", message);
            }

            name = Encoding.UTF8.GetString(request.Name);
            return !exchange.FailIfFaults(422, ErrorCode.Invalid);
        }
        catch (JsonException e)
        {
            exchange.Fail(400, ErrorCode.BadRequest, StrictJson.Explain(e));
            return false;
        }
    }

    private ValueTask GetAsync(Exchange exchange)
    {
        string name = PathReader.Name(exchange, 0);
        if (PathReader.Failed(exchange))
        {
            return default;
        }

        if (services.Clients.TryGet(name, out Client? client))
        {
            Write(exchange.Answer(200), client);
        }
        else
        {
            exchange.Fail(404, ErrorCode.NotFound, $"no client \"{name}\"");
        }

        return default;
    }

    private async ValueTask DeleteAsync(Exchange exchange)
    {
        string name = PathReader.Name(exchange, 0);
        if (PathReader.Failed(exchange))
        {
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Blocking))
        {
            return;
        }

        switch (services.Clients.Delete(name, out string message))
        {
            case ClientOutcome.Ok:
                AuditLog.ClientDeleted(services.Audit, name, exchange.ClientName, exchange.Origin);
                services.Events.ClientChanged(EventAction.Deleted, name, group: null, exchange.ClientName);
                exchange.AnswerNothing();
                break;
            case ClientOutcome.Absent:
                exchange.Fail(404, ErrorCode.NotFound, message);
                break;
            case ClientOutcome.Protected:
                exchange.Fail(422, ErrorCode.Invalid, message);
                break;
            default:
                AuditLog.ClientFailed(services.Audit, name, exchange.ClientName, exchange.Origin, message);
                exchange.Fail(500, ErrorCode.Internal, message);
                break;
        }
    }

    private static void Write(IBufferWriter<byte> body, Client client)
    {
        body.Raw("{\"name\":"u8);
        body.String(client.Utf8Name);
        body.Raw(",\"token\":\""u8);
        client.Token.TryFormat(body.GetSpan(36), out int length);
        body.Advance(length);
        body.Raw("\",\"group\":\""u8);
        body.Raw(client.Group.Utf8Name());
        body.Raw("\""u8);
        if (client.Rails is { } rails)
        {
            body.Raw(",\"rails\":"u8);
            body.Write(JsonSerializer.SerializeToUtf8Bytes(rails.Record, RailsJson.Default.RailsRecord));
        }

        body.Raw("}"u8);
    }
}
