using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Couic.Api.Access;
using Couic.Api.Events;
using Couic.Api.Json;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Sets;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>Set files: list, create, get, replace, delete, and the reload that brings them into force. All of it waits for the disk.</summary>
internal sealed class SetsEndpoint(ApiServices services, SetDirectory files, SetLoader loader)
{
    /// <summary>Entries that are named when the guard refuses a set.</summary>
    private const int MaxObjections = 100;

    public void Register(ApiRouter router)
    {
        router.Map(Verb.Get, "/v1/sets/{policy}", Permission.SetsRead, ListAsync);
        router.Map(Verb.Post, "/v1/sets/{policy}", Permission.SetsWrite, CreateAsync);
        router.Map(Verb.Get, "/v1/sets/{policy}/{name}", Permission.SetsRead, GetAsync);
        router.Map(Verb.Put, "/v1/sets/{policy}/{name}", Permission.SetsWrite, ReplaceAsync);
        router.Map(Verb.Delete, "/v1/sets/{policy}/{name}", Permission.SetsWrite, DeleteAsync, ignoresBody: true);
        router.Map(Verb.Post, "/v1/sets/reload", Permission.SetsWrite, ReloadAsync, ignoresBody: true);
    }

    private async ValueTask ListAsync(Exchange exchange)
    {
        Policy policy = PathReader.Policy(exchange, 0);
        if (PathReader.Failed(exchange))
        {
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Blocking))
        {
            return;
        }

        try
        {
            if (exchange.Query.Has("details"u8, "true"))
            {
                WriteStates(exchange, loader.States(policy));
            }
            else
            {
                WriteList(exchange, files.List(policy));
            }
        }
        catch (IOException e)
        {
            exchange.Fail(500, ErrorCode.Internal, e.Message);
        }
    }

    private async ValueTask CreateAsync(Exchange exchange)
    {
        Policy policy = PathReader.Policy(exchange, 0);
        if (PathReader.Failed(exchange) || !RailRules.Admit(exchange, services.Time, policy) || !exchange.RequireJson()
            || !await exchange.ReadBodyAsync(exchange.Limits.MaxSetBodyBytes))
        {
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Blocking))
        {
            return;
        }

        if (Read(exchange, policy, null) is not { } set)
        {
            return;
        }

        if (Succeeded(exchange, policy, set.Name, files.Create(policy, set.Name, set.Text)))
        {
            AuditLog.SetCreated(services.Audit, policy.Name(), set.Name, set.Entries, exchange.ClientName, exchange.Origin);
            services.Events.SetChanged(EventAction.Created, policy, set.Name, set.Entries, exchange.ClientName);
            await SendAsync(exchange, 201, set.Name, set.Text, set.Warnings);
        }
    }

    private async ValueTask ReplaceAsync(Exchange exchange)
    {
        (Policy policy, string name) = ReadPath(exchange);
        if (PathReader.Failed(exchange) || !RailRules.Admit(exchange, services.Time, policy) || !exchange.RequireJson()
            || !await exchange.ReadBodyAsync(exchange.Limits.MaxSetBodyBytes))
        {
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Blocking))
        {
            return;
        }

        if (Read(exchange, policy, name) is not { } set)
        {
            return;
        }

        if (Succeeded(exchange, policy, name, files.Replace(policy, name, set.Text)))
        {
            AuditLog.SetUpdated(services.Audit, policy.Name(), name, set.Entries, exchange.ClientName, exchange.Origin);
            services.Events.SetChanged(EventAction.Updated, policy, name, set.Entries, exchange.ClientName);
            await SendAsync(exchange, 200, name, set.Text, set.Warnings);
        }
    }

    private async ValueTask GetAsync(Exchange exchange)
    {
        (Policy policy, string name) = ReadPath(exchange);
        if (PathReader.Failed(exchange))
        {
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Blocking))
        {
            return;
        }

        SetResult result = files.Read(policy, name, out ReadOnlyMemory<byte> text);
        if (Succeeded(exchange, policy, name, result))
        {
            await SendAsync(exchange, 200, name, text, []);
        }
    }

    private async ValueTask DeleteAsync(Exchange exchange)
    {
        (Policy policy, string name) = ReadPath(exchange);
        if (PathReader.Failed(exchange) || !RailRules.Admit(exchange, services.Time, policy)
            || !RailRules.AdmitTag(exchange, Encoding.UTF8.GetBytes(name + TagRule.SetSuffix)))
        {
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Blocking))
        {
            return;
        }

        var warnings = new List<string>();
        if (policy == Policy.Ignore && !TryAskOfIgnore(exchange, name, null, warnings))
        {
            return;
        }

        if (Succeeded(exchange, policy, name, files.Delete(policy, name)))
        {
            AuditLog.SetDeleted(services.Audit, policy.Name(), name, exchange.ClientName, exchange.Origin);
            services.Events.SetChanged(EventAction.Deleted, policy, name, entries: null, exchange.ClientName);
            IBufferWriter<byte> body = exchange.Answer(200);
            body.Raw("{\"deleted\":true,\"reload_required\":true"u8);
            Warnings.WriteMember(body, warnings);
            body.Raw("}"u8);
            Warnings.AddHeader(exchange, warnings);
        }
    }

    private async ValueTask ReloadAsync(Exchange exchange)
    {
        if (!RailRules.Admit(exchange, services.Time, policy: null))
        {
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Blocking))
        {
            return;
        }

        SetReload reload = loader.Reload(exchange.ClientName, EntryRules.Stance(exchange.Query), EntryRules.Requester(exchange.Query));
        switch (reload.Status)
        {
            case SetReloadStatus.Ok:
                IBufferWriter<byte> body = exchange.Answer(201);
                body.Raw("{\"reload_status\":\"OK\""u8);
                if (exchange.Query.Has("details"u8, "true"))
                {
                    WriteChanges(body, reload);
                }

                Warnings.WriteMember(body, reload.Warnings);
                body.Raw("}"u8);
                Warnings.AddHeader(exchange, reload.Warnings);
                break;
            case SetReloadStatus.Failed:
                exchange.Fail(500, ErrorCode.Internal, reload.Message);
                break;
            default:
                exchange.Fail(422, ErrorCode.Invalid, reload.Message);
                break;
        }
    }

    private static (Policy Policy, string Name) ReadPath(Exchange exchange)
    {
        Policy policy = PathReader.Policy(exchange, 0);
        return (policy, PathReader.Name(exchange, 1));
    }

    /// <summary>The body as the text of a file, with all its values checked; null: it is answered.</summary>
    /// <param name="name">The name in the path, which the body may not contradict; null when only the body has one.</param>
    private SetText? Read(Exchange exchange, Policy policy, string? name)
    {
        int maxEntries = services.Store.Limits.Entries(policy);
        SetRequest request;
        try
        {
            request = SetRequest.Read(exchange.Body, maxEntries);
            exchange.ReleaseBody();
        }
        catch (JsonException e)
        {
            exchange.Fail(400, ErrorCode.BadRequest, StrictJson.Explain(e));
            return null;
        }

        if (NameRule.Fault(Encoding.UTF8.GetBytes(request.Name)) is { } fault)
        {
            exchange.AddFault("name", fault);
        }
        else if (name is not null && request.Name != name)
        {
            exchange.AddFault("name", $"not the name in the path, \"{name}\"");
        }

        foreach ((int index, CidrFault bad) in request.Faults)
        {
            exchange.AddFault(SetRequest.Field(index), bad.Explain());
        }

        AddRailFaults(exchange, request);
        exchange.Client().Rails?.Charge(request.Entries.Count);
        if (request.Surplus is { } family)
        {
            string word = family == IpFamily.V4 ? "IPv4" : "IPv6";
            exchange.AddFault("entries", $"more than {maxEntries} networks of {word} ([limits] max_{policy.Name()}_entries)");
        }

        return !exchange.FailIfFaults(422, ErrorCode.Invalid)
            && TryAsk(exchange, policy, request, out List<string> warnings)
            && (name is null || policy == Policy.Drop || TryAskOfIgnore(exchange, name, request.Entries, warnings))
            ? new SetText(request.Name, request.Entries.Count, SetFile.Format(CollectionsMarshal.AsSpan(request.Entries)), warnings)
            : null;
    }

    /// <summary>The entries of a set carry its tag and never expire.</summary>
    private static void AddRailFaults(Exchange exchange, SetRequest request)
    {
        if (exchange.Client().Rails is not { } rails)
        {
            return;
        }

        byte[] tag = Encoding.UTF8.GetBytes(request.Name + TagRule.SetSuffix);
        if (!rails.MayChange(tag))
        {
            exchange.AddFault("name", rails.TagMessage(tag));
        }

        if (rails.Record.MaxTtl is not null)
        {
            exchange.AddFault("entries", "rail \"max_ttl\": the entries of a set never expire, so this client may not write sets");
        }

        if (rails.MaxEntries > 0 && request.Entries.Count > rails.MaxEntries)
        {
            exchange.AddFault("entries", $"rail \"max_entries\": at most {rails.MaxEntries} entries for this client");
        }

        for (int i = 0; i < request.Entries.Count && exchange.FaultCount < MaxObjections; i++)
        {
            if (rails.WidthFault(request.Entries[i].Network) is { } fault)
            {
                exchange.AddFault(SetRequest.Field(i), fault);
            }
        }
    }

    /// <summary>Asks the guard about a set that is to be written. False: refused, and answered.</summary>
    private bool TryAsk(Exchange exchange, Policy policy, SetRequest request, out List<string> warnings)
    {
        LockoutGuard guard = services.Store.Guard;
        LockoutStance stance = EntryRules.Stance(exchange.Query);
        var told = new BulkWarnings();
        SetImage? ignored = null;
        for (int i = 0; i < request.Entries.Count; i++)
        {
            Cidr cidr = request.Entries[i];
            told.Note(guard, policy, cidr);
            if (policy == Policy.Drop && guard.ObjectionToDrop(cidr.Network, ignored) is not null)
            {
                // The files of ignore may protect the address, though they are not in force yet.
                ignored ??= loader.ReadIgnore();
                if (guard.ObjectionToDrop(cidr.Network, ignored) is not { } objection)
                {
                    continue;
                }

                if (!guard.Refuses(objection, stance))
                {
                    told.Add($"{SetRequest.Field(i)}: {cidr.Network} {objection.Reason}");
                }
                else if (exchange.FaultCount < MaxObjections)
                {
                    exchange.AddFault(SetRequest.Field(i), objection.Text);
                }
            }
        }

        warnings = told.Texts(policy);
        return !exchange.FailIfFaults(422, ErrorCode.Invalid);
    }

    /// <summary>Asks the guard about an ignore set that is replaced or deleted: it may protect an address. False: refused, and answered.</summary>
    private bool TryAskOfIgnore(Exchange exchange, string name, List<Cidr>? entries, List<string> warnings)
    {
        LockoutStance stance = EntryRules.Stance(exchange.Query);
        foreach (LockoutObjection objection in loader.ObjectionsToIgnore(name, entries))
        {
            if (services.Store.Guard.Refuses(objection, stance))
            {
                exchange.AddFault("name", objection.Text);
                break;
            }

            warnings.Add(objection.Reason);
        }

        return !exchange.FailIfFaults(422, ErrorCode.Invalid);
    }

    private bool Succeeded(Exchange exchange, Policy policy, string name, SetResult result)
    {
        switch (result.Outcome)
        {
            case SetOutcome.Ok:
                return true;
            case SetOutcome.Exists:
                exchange.Fail(409, ErrorCode.Conflict, result.Message);
                break;
            case SetOutcome.Absent:
                exchange.Fail(404, ErrorCode.NotFound, result.Message);
                break;
            case SetOutcome.TooLarge:
                exchange.AddFault("entries", result.Message);
                exchange.FailIfFaults(422, ErrorCode.Invalid);
                break;
            case SetOutcome.BadLines:
                foreach (SetFault fault in result.Faults)
                {
                    exchange.AddFault(string.Create(CultureInfo.InvariantCulture, $"line {fault.Line}"), $"\"{fault.Text}\": {fault.Message}");
                }

                exchange.Fail(422, ErrorCode.Invalid, result.Message);
                break;
            case SetOutcome.Unusable or SetOutcome.NoRoom:
                exchange.Fail(422, ErrorCode.Invalid, result.Message);
                break;
            default:
                AuditLog.SetFailed(services.Audit, policy.Name(), name, exchange.ClientName, exchange.Origin, result.Message);
                exchange.Fail(500, ErrorCode.Internal, result.Message);
                break;
        }

        return false;
    }

    /// <summary>An object of a list, without its end.</summary>
    private static void BeginSet(IBufferWriter<byte> body, bool isFirst, string name, long entries, long bytes)
    {
        body.Raw(isFirst ? "{\"name\":"u8 : ",{\"name\":"u8);
        body.String(name);
        body.Raw(",\"entry_count\":"u8);
        body.Number(entries);
        body.Raw(",\"file_size\":"u8);
        body.Number(bytes);
    }

    private static void WriteList(Exchange exchange, List<SetSummary> sets)
    {
        IBufferWriter<byte> body = exchange.Answer(200);
        body.Raw("["u8);
        for (int i = 0; i < sets.Count; i++)
        {
            BeginSet(body, isFirst: i == 0, sets[i].Name, sets[i].EntryCount, sets[i].FileSize);
            body.Raw("}"u8);
        }

        body.Raw("]"u8);
    }

    private static void WriteStates(Exchange exchange, List<SetState> sets)
    {
        IBufferWriter<byte> body = exchange.Answer(200);
        body.Raw("["u8);
        for (int i = 0; i < sets.Count; i++)
        {
            BeginSet(body, isFirst: i == 0, sets[i].Name, sets[i].EntryCount, sets[i].FileSize);
            body.Raw(",\"state\":"u8);
            body.String(sets[i].State);
            body.Raw(",\"in_force\":"u8);
            body.Number((long)sets[i].InForce);
            if (sets[i].Fault is { } fault)
            {
                body.Raw(",\"fault\":"u8);
                body.String(fault);
            }

            body.Raw("}"u8);
        }

        body.Raw("]"u8);
    }

    private static void WriteChanges(IBufferWriter<byte> body, SetReload reload)
    {
        foreach (Policy policy in Policies.All)
        {
            SetReplacementCounts counts = reload.Of(policy);
            body.Raw(policy == Policy.Drop ? ",\"drop\":{\"added\":"u8 : ",\"ignore\":{\"added\":"u8);
            body.Number((long)counts.Added);
            body.Raw(",\"removed\":"u8);
            body.Number((long)counts.Removed);
            body.Raw(",\"taken_over\":"u8);
            body.Number((long)counts.TakenOver);
            body.Raw(",\"unchanged\":"u8);
            body.Number((long)counts.Unchanged);
            body.Raw("}"u8);
        }
    }

    /// <summary>Streams a set as an answer: it may be larger than the buffers of a connection.</summary>
    private static async ValueTask SendAsync(Exchange exchange, int status, string name, ReadOnlyMemory<byte> text, IReadOnlyList<string> warnings)
    {
        Warnings.AddHeader(exchange, warnings);
        exchange.HandlerBytes = text.Length;
        if (await exchange.BeginStreamAsync(status, SetAnswer.Measure(name, text, warnings)) is { } body)
        {
            var answer = new SetAnswer(name, text, warnings);
            bool hasMore;
            do
            {
                hasMore = answer.WritePiece(body);
                hasMore &= !(await body.FlushAsync()).IsCompleted;
            }
            while (hasMore);
            await body.CompleteAsync();
        }

        exchange.HandlerBytes = 0;
    }

    /// <param name="Text">Of the file.</param>
    private sealed record SetText(string Name, int Entries, byte[] Text, IReadOnlyList<string> Warnings);
}
