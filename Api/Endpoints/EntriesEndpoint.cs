using System.Text;
using System.Text.Json;
using Couic.Api.Access;
using Couic.Api.Json;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>One entry: create, get, delete.</summary>
internal sealed class EntriesEndpoint
{
    private readonly ApiServices _services;
    private readonly EntryBatch _batch;

    public EntriesEndpoint(ApiServices services)
    {
        _services = services;
        _batch = new EntryBatch(_services.Store, Complete);
    }

    public void Register(ApiRouter router)
    {
        router.Map(Verb.Post, "/v1/{policy}", Permission.EntriesWrite, CreateAsync, canBatch: true);
        router.Map(Verb.Get, "/v1/{policy}/{ip}/{prefix}", Permission.EntriesRead, GetAsync);
        router.Map(Verb.Delete, "/v1/{policy}/{ip}/{prefix}", Permission.EntriesWrite, DeleteAsync, canBatch: true, ignoresBody: true);
    }

    private ValueTask CreateAsync(Exchange exchange)
    {
        Policy policy = PathReader.Policy(exchange, 0);
        if (PathReader.Failed(exchange) || !RailRules.Admit(exchange, _services.Time, policy) || !exchange.RequireJson())
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
            request = EntryRequest.Read(exchange.Body, EntryRules.Merges(exchange.Query));
        }
        catch (JsonException e)
        {
            exchange.Fail(400, ErrorCode.BadRequest, StrictJson.Explain(e));
            return;
        }

        if (policy == Policy.Drop && request.CidrFault == CidrFault.None && _services.Store.Guard.Protects(request.Cidr.Network))
        {
            exchange.FlushBatch(); // a batched change may remove the protection
        }

        LockoutObjection? objection = EntryRules.Objection(_services, policy, request) ?? EntryRules.ObjectionOfRequester(_services, exchange, policy, request);
        if (!IsValid(exchange, policy, request, objection))
        {
            return;
        }

        ChangeWarnings? warnings = EntryRules.WarningsOf(_services, policy, request.Cidr, objection, explains: EntryRules.Stance(exchange.Query) != LockoutStance.Default);
        ref ChangeRequest change = ref _batch.Add(exchange, warnings);
        change.Policy = policy;
        change.Cidr = request.Cidr.Network;
        change.Tag = request.Tag;
        change.Expiration = request.Expiration;
        change.Mode = EntryRules.Mode(exchange.Query);
        change.Keeps = EntryRules.Merges(exchange.Query) ? request.Absent : EntryFields.None;
        change.Creator = exchange.Client().Utf8Name;
        change.Metadata = request.Metadata;
        change.Limits = exchange.Client().Rails;
        change.Reason = request.Reason.IsEmpty ? null : request.Reason.ToArray();
        _batch.Apply(exchange, ref change, warnings);
    }

    /// <summary>Logs and answers the outcome of a change.</summary>
    private void Complete(Response response, in ChangeRequest change, ChangeWarnings? warnings)
    {
        switch (change.Outcome)
        {
            case StoreOutcome.Created:
                AuditLog.EntryCreated(_services.Audit, change.Policy, change.Entry, change.Creator, response.RemoteAddress);
                if (change.Cidr.IsV4Mapped)
                {
                    AuditLog.EntryIsMapped(_services.Audit, change.Policy.Name(), change.Cidr, response.ClientName);
                }

                AnswerEntry(response, 201, change, warnings);
                break;
            case StoreOutcome.Updated or StoreOutcome.ClaimChanged when change.IsRemoval:
                AuditLog.ClaimRemoved(_services.Audit, change, response.Origin);
                AnswerEntry(response, 200, change, warnings);
                break;
            case StoreOutcome.ClaimChanged:
                AuditLog.ClaimAdded(_services.Audit, change, response.Origin);
                AnswerEntry(response, 200, change, warnings);
                break;
            case StoreOutcome.Updated:
                AuditLog.EntryUpdated(_services.Audit, change.Policy, change.Entry, change.Creator, response.RemoteAddress);
                AnswerEntry(response, 200, change, warnings);
                break;
            case StoreOutcome.Unchanged:
                AnswerEntry(response, 200, change, warnings);
                break;
            case StoreOutcome.Removed:
                AuditLog.EntryDeleted(_services.Audit, change.Policy, change.Entry, change.Creator, response.RemoteAddress);
                response.AnswerNothing();
                Warn(response, change, warnings);
                break;
            case StoreOutcome.Conflict when change.IsRemoval:
                response.AddFault("tag", $"{change.Cidr} is in policy {change.Policy.Name()}, but not under this tag", ErrorCode.Conflict);
                response.FailIfFaults(409, ErrorCode.Conflict);
                break;
            case StoreOutcome.Conflict when change.Mode == ConflictMode.Claim:
                response.AddFault("tag", $"{change.Cidr} of policy {change.Policy.Name()} has a claim of this tag already", ErrorCode.Conflict);
                response.FailIfFaults(409, ErrorCode.Conflict);
                break;
            case StoreOutcome.TooManyClaims:
                response.AddFault("cidr", EntryRules.TooManyClaims(change.Cidr), ErrorCode.Conflict);
                response.FailIfFaults(409, ErrorCode.Conflict);
                break;
            case StoreOutcome.OverQuota or StoreOutcome.ForeignTag:
                (string field, string message) = RailRules.Refusal(change);
                response.AddFault(field, message);
                response.FailIfFaults(422, ErrorCode.Invalid);
                break;
            default:
                Fail(response, change.Outcome, change.Policy, change.Cidr, change.Refusal);
                break;
        }
    }

    private void AnswerEntry(Response response, int status, in ChangeRequest change, ChangeWarnings? warnings)
    {
        EntryJson.Write(response.Answer(status), change.Entry, warnings?.Texts);
        Warn(response, change, warnings);
    }

    /// <summary>In the log and in the header of the answer.</summary>
    private void Warn(Response response, in ChangeRequest change, ChangeWarnings? warnings)
    {
        if (warnings is null)
        {
            return;
        }

        Warnings.AddHeader(response, warnings.Texts);
        if (warnings.Objection is { } objection)
        {
            AuditLog.EntryMayLockOut(_services.Audit, change.Policy.Name(), change.Cidr, response.ClientName, objection);
        }
    }

    /// <summary>Checks all values; answers 422 with all faults.</summary>
    private bool IsValid(Exchange exchange, Policy policy, in EntryRequest request, LockoutObjection? objection)
    {
        LockoutStance stance = EntryRules.Stance(exchange.Query);
        if (EntryRules.CidrFault(request, policy, stance == LockoutStance.Force) is { } cidr)
        {
            exchange.AddFault("cidr", cidr);
        }
        else if (objection is not null && _services.Store.Guard.Refuses(objection, stance))
        {
            exchange.AddFault("cidr", objection.Text);
        }

        if (TagRule.Fault(request.Tag) is { } tag)
        {
            exchange.AddFault("tag", tag);
        }

        if (!request.Reason.IsEmpty && ReasonRule.Fault(request.Reason) is { } reason)
        {
            exchange.AddFault("reason", reason);
        }

        // Most never expire, and the clock is not read for them.
        if (request.Expiration != 0 && EntryRules.ExpirationFault(request.Expiration, _services.Now) is { } expiration)
        {
            exchange.AddFault("expiration", expiration);
        }

        if (!exchange.HasFaults && exchange.Client().Rails?.Fault(request.Cidr.Network, request.Tag, request.Expiration, _services.Now) is { } rail)
        {
            exchange.AddFault(rail.Field, rail.Message);
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
        if (!TryReadPath(exchange, out Policy policy, out Cidr cidr) || !RailRules.Admit(exchange, _services.Time, policy))
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

        if (!MayRemove(exchange, policy, cidr.Network, out ChangeWarnings? warnings))
        {
            return default;
        }

        ref ChangeRequest change = ref _batch.Add(exchange, warnings);
        change.IsRemoval = true;
        change.IsUnderTag = tag is not null;
        change.Tag = tag;
        change.Policy = policy;
        change.Cidr = cidr.Network;
        change.Creator = exchange.Client().Utf8Name;
        change.Limits = exchange.Client().Rails;
        _batch.Apply(exchange, ref change, warnings);
        return default;
    }

    /// <summary>An ignore entry may be what protects an address from a drop entry.</summary>
    private bool MayRemove(Exchange exchange, Policy policy, Cidr network, out ChangeWarnings? warnings)
    {
        warnings = null;
        LockoutGuard guard = _services.Store.Guard;
        if (policy == Policy.Drop || !guard.Protects(network))
        {
            return true;
        }

        exchange.FlushBatch(); // a batched change may remove the last other protection
        if (guard.ObjectionToUnignore(network) is not { } objection)
        {
            return true;
        }

        if (guard.Refuses(objection, EntryRules.Stance(exchange.Query)))
        {
            exchange.AddFault("cidr", objection.Text);
            exchange.FailIfFaults(422, ErrorCode.Invalid);
            return false;
        }

        warnings = new ChangeWarnings(objection.Reason, [$"{network} {objection.Reason}"]);
        return true;
    }

    private static bool TryReadPath(Exchange exchange, out Policy policy, out Cidr cidr)
    {
        policy = PathReader.Policy(exchange, 0);
        cidr = PathReader.Cidr(exchange, 1, 2);
        return !PathReader.Failed(exchange);
    }

    private void Fail(Response response, StoreOutcome outcome, Policy policy, Cidr cidr, PlaneRefusal? refusal)
    {
        switch (outcome)
        {
            case StoreOutcome.Conflict:
                response.AddFault("cidr", $"{cidr} is in policy {policy.Name()} already", ErrorCode.Conflict);
                response.FailIfFaults(409, ErrorCode.Conflict);
                break;
            case StoreOutcome.Absent:
                response.AddFault("cidr", $"{cidr} is not in policy {policy.Name()}", ErrorCode.NotFound);
                response.FailIfFaults(404, ErrorCode.NotFound);
                break;
            case StoreOutcome.OwnedBySet:
                response.Fail(422, ErrorCode.Invalid, $"{cidr} is defined by a set; change the set's file and reload");
                break;
            case StoreOutcome.Full:
                response.Fail(409, ErrorCode.Conflict, EntryRules.FullMessage(policy, cidr.Family, _services.Store.Limits));
                break;
            default:
                string cause = refusal?.Message ?? "refused by the kernel";
                AuditLog.EntryFailed(_services.Audit, policy.Name(), cidr, response.ClientName, response.Origin, cause);
                response.Fail(500, ErrorCode.Internal, $"the kernel refused the change: {cause}");
                break;
        }
    }
}
