using System.Text;
using System.Text.Json;
using Couic.Access;
using Couic.Http.Json;
using Couic.Http.Protocol;
using Couic.Http.Routing;
using Couic.Store;

namespace Couic.Http.Endpoints;

/// <summary>One entry: create, get, delete.</summary>
internal sealed class EntriesEndpoint
{
    private readonly ApiServices _services;
    private readonly EntryChanges _changes;

    public EntriesEndpoint(ApiServices services)
    {
        _services = services;
        _changes = new EntryChanges(_services.Store, Complete);
    }

    public void Register(Router router)
    {
        router.Map(Verb.Post, "/v1/{policy}", Permission.EntriesWrite, CreateAsync, defers: true);
        router.Map(Verb.Get, "/v1/{policy}/{ip}/{prefix}", Permission.EntriesRead, GetAsync);
        router.Map(Verb.Delete, "/v1/{policy}/{ip}/{prefix}", Permission.EntriesWrite, DeleteAsync, defers: true, ignoresBody: true);
    }

    private ValueTask CreateAsync(Exchange exchange)
    {
        Policy policy = PathReader.Policy(exchange, 0);
        if (PathReader.Failed(exchange) || !exchange.RequireJson())
        {
            return default;
        }

        ValueTask<bool> reading = exchange.ReadBodyAsync();
        if (!reading.IsCompletedSuccessfully)
        {
            return CreateLaterAsync(exchange, policy, reading);
        }

        if (reading.Result)
        {
            Create(exchange, policy);
        }

        return default;
    }

    private async ValueTask CreateLaterAsync(Exchange exchange, Policy policy, ValueTask<bool> reading)
    {
        if (await reading)
        {
            Create(exchange, policy);
        }
    }

    private void Create(Exchange exchange, Policy policy)
    {
        EntryRequest request;
        try
        {
            request = EntryRequest.Read(exchange.Body);
        }
        catch (JsonException e)
        {
            exchange.Fail(400, ErrorCode.BadRequest, StrictJson.Explain(e));
            return;
        }

        LockOut? lockOut = EntryRules.LockOut(_services, policy, request);
        if (!IsValid(exchange, policy, request, lockOut))
        {
            return;
        }

        ref SingleChange change = ref _changes.Begin(exchange, lockOut);
        change.Policy = policy;
        change.Cidr = request.Cidr.Network;
        change.Tag = request.Tag;
        change.Expiration = request.Expiration;
        change.Mode = Mode(exchange);
        change.Creator = exchange.Client!.Utf8Name;
        change.Metadata = request.Metadata;
        _changes.Make(exchange, ref change, lockOut);
    }

    private static ConflictMode Mode(Exchange exchange)
    {
        _ = exchange.Query.Find("on_conflict"u8, out string mode);
        return mode switch
        {
            "update" => ConflictMode.Update,
            "extend" => ConflictMode.Extend,
            _ => ConflictMode.Refuse,
        };
    }

    /// <summary>Logs and answers what became of a change.</summary>
    private void Complete(Exchange exchange, in SingleChange change, LockOut? lockOut)
    {
        switch (change.Outcome)
        {
            case StoreOutcome.Created:
                AuditLog.EntryCreated(_services.Audit, change.Policy, change.Entry, change.Creator);
                if (change.Cidr.IsV4Mapped)
                {
                    AuditLog.EntryIsMapped(_services.Audit, change.Policy.Name(), change.Cidr, exchange.ClientName);
                }

                EntryJson.Write(exchange.Answer(201), change.Entry);
                Warn(exchange, change.Policy, change.Cidr, lockOut);
                break;
            case StoreOutcome.Updated:
                AuditLog.EntryUpdated(_services.Audit, change.Policy, change.Entry, change.Creator);
                EntryJson.Write(exchange.Answer(200), change.Entry);
                break;
            case StoreOutcome.Unchanged:
                EntryJson.Write(exchange.Answer(200), change.Entry);
                break;
            case StoreOutcome.Removed:
                AuditLog.EntryDeleted(_services.Audit, change.Policy, change.Entry, change.Creator);
                exchange.AnswerNothing();
                break;
            case StoreOutcome.Conflict when change.IsRemoval:
                exchange.AddFault("tag", $"{change.Cidr} is in policy {change.Policy.Name()}, but not under this tag", ErrorCode.Conflict);
                exchange.FailIfFaults(409, ErrorCode.Conflict);
                break;
            default:
                Fail(exchange, change.Outcome, change.Policy, change.Cidr, change.Refusal);
                break;
        }
    }

    /// <summary>In the log and in the answer (RFC 7234 §5.5: 199, a warning of any kind).</summary>
    private void Warn(Exchange exchange, Policy policy, Cidr cidr, LockOut? lockOut)
    {
        if (lockOut is not null)
        {
            AuditLog.EntryMayLockOut(_services.Audit, policy.Name(), cidr, exchange.ClientName, lockOut.Objection);
            exchange.AddHeader("warning"u8, Encoding.ASCII.GetBytes($"199 couic \"{lockOut.Objection}\""));
        }
    }

    /// <summary>Checks the values, all of them; answers 422 when something is wrong.</summary>
    private bool IsValid(Exchange exchange, Policy policy, in EntryRequest request, LockOut? lockOut)
    {
        bool force = exchange.Query.Has("force"u8, "true");
        if (EntryRules.CidrFault(request, policy, force) is { } cidr)
        {
            exchange.AddFault("cidr", cidr);
        }
        else if (lockOut is not null && !force && (lockOut.IsRefused || exchange.Query.Has("guard"u8, "refuse")))
        {
            exchange.AddFault("cidr", EntryRules.Advice(lockOut));
        }

        if (TagRule.Fault(request.Tag) is { } tag)
        {
            exchange.AddFault("tag", tag);
        }

        // Most never expire, and need no look at the clock.
        if (request.Expiration != 0 && EntryRules.ExpirationFault(request.Expiration, _services.Now) is { } expiration)
        {
            exchange.AddFault("expiration", expiration);
        }

        return !exchange.FailIfFaults(422, ErrorCode.Invalid);
    }

    private ValueTask GetAsync(Exchange exchange)
    {
        if (!TryReadPath(exchange, out Policy policy, out Cidr cidr))
        {
            return default;
        }

        if (!_services.Store.TryGet(policy, cidr, out Entry entry))
        {
            Fail(exchange, StoreOutcome.Absent, policy, cidr, null);
        }
        else if (exchange.Query.Has("details"u8, "true"))
        {
            EntryJson.WriteDetailed(exchange.Answer(200), entry, _services.Hits(policy, entry));
        }
        else
        {
            EntryJson.Write(exchange.Answer(200), entry);
        }

        return default;
    }

    private ValueTask DeleteAsync(Exchange exchange)
    {
        if (!TryReadPath(exchange, out Policy policy, out Cidr cidr))
        {
            return default;
        }

        byte[]? tag = exchange.Query.Find("tag"u8, out string text) > 0 ? Encoding.UTF8.GetBytes(text) : null;
        if (tag is not null && TagRule.Fault(tag) is { } fault)
        {
            exchange.AddFault("tag", fault);
            exchange.FailIfFaults(422, ErrorCode.Invalid);
            return default;
        }

        ref SingleChange change = ref _changes.Begin(exchange, lockOut: null);
        change.IsRemoval = true;
        change.IsUnderTag = tag is not null;
        change.Tag = tag;
        change.Policy = policy;
        change.Cidr = cidr.Network;
        change.Creator = exchange.Client!.Utf8Name;
        _changes.Make(exchange, ref change, lockOut: null);
        return default;
    }

    private static bool TryReadPath(Exchange exchange, out Policy policy, out Cidr cidr)
    {
        policy = PathReader.Policy(exchange, 0);
        cidr = PathReader.Cidr(exchange, 1, 2);
        return !PathReader.Failed(exchange);
    }

    private void Fail(Exchange exchange, StoreOutcome outcome, Policy policy, Cidr cidr, PlaneRefusal? refusal)
    {
        switch (outcome)
        {
            case StoreOutcome.Conflict:
                exchange.AddFault("cidr", $"{cidr} is in policy {policy.Name()} already", ErrorCode.Conflict);
                exchange.FailIfFaults(409, ErrorCode.Conflict);
                break;
            case StoreOutcome.Absent:
                exchange.AddFault("cidr", $"{cidr} is not in policy {policy.Name()}", ErrorCode.NotFound);
                exchange.FailIfFaults(404, ErrorCode.NotFound);
                break;
            case StoreOutcome.OwnedBySet:
                exchange.Fail(422, ErrorCode.Invalid, $"{cidr} is defined by a set; change the set's file and reload");
                break;
            case StoreOutcome.Full:
                exchange.Fail(409, ErrorCode.Conflict, EntryRules.FullMessage(policy, cidr.Family, _services.Store.Limits));
                break;
            default:
                string cause = refusal?.Message ?? "refused by the kernel";
                AuditLog.EntryFailed(_services.Audit, policy.Name(), cidr, exchange.ClientName, cause);
                exchange.Fail(500, ErrorCode.Internal, $"the kernel refused the change: {cause}");
                break;
        }
    }
}
