using System.Buffers;
using System.Text;
using Couic.Api.Access;
using Couic.Http;
using Couic.Http.Parsing;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>The removal of everything that one tag claims, in one request.</summary>
internal sealed class TagRemovalEndpoint(ApiServices services)
{
    public void Register(ApiRouter router) => router.Map(Verb.Delete, "/v1/{policy}/tag/{tag}", Permission.EntriesWrite, HandleAsync, ignoresBody: true);

    private async ValueTask HandleAsync(Exchange exchange)
    {
        Policy policy = PathReader.Policy(exchange, 0);
        byte[] tag = exchange.Parameter(1).ToArray();
        if (TagRule.Fault(tag) is { } fault)
        {
            exchange.AddFault("tag", fault);
        }

        if (PathReader.Failed(exchange) || !RailRules.Admit(exchange, services.Time, policy) || !RailRules.AdmitTag(exchange, tag))
        {
            return;
        }

        if (!await exchange.OffloadAsync(WorkClass.Long))
        {
            return;
        }

        Cidr[] all = [.. services.Store.NetworksUnder(policy, tag)];
        if (!TryAsk(exchange, policy, all, out List<string> warnings))
        {
            return;
        }

        long removed = 0;
        PlaneRefusal? refusal = null;
        var changes = new ChangeRequest[RuleStore.MaxBatch];
        foreach (Cidr[] networks in all.Chunk(changes.Length))
        {
            if (exchange.ShouldYield)
            {
                exchange.ReleaseWorker();
                if (!await exchange.OffloadAsync(WorkClass.Long))
                {
                    return;
                }
            }

            removed += Remove(networks, policy, tag, exchange.Client().Utf8Name, changes, ref refusal);
        }

        AuditLog.TagRemoved(services.Audit, policy.Name(), Encoding.UTF8.GetString(tag), exchange.ClientName, exchange.Origin, removed);
        if (refusal is not null)
        {
            exchange.Fail(500, ErrorCode.Internal, $"the kernel refused a change: {refusal.Message}; {removed} entries are removed");
            return;
        }

        IBufferWriter<byte> body = exchange.Answer(200);
        body.Raw("{\"removed\":"u8);
        body.Number(removed);
        Warnings.WriteMember(body, warnings);
        body.Raw("}"u8);
        Warnings.AddHeader(exchange, warnings);
    }

    /// <summary>Ignore entries may protect addresses that drop entries cover. False: refused, and answered.</summary>
    private bool TryAsk(Exchange exchange, Policy policy, Cidr[] networks, out List<string> warnings)
    {
        LockoutGuard guard = services.Store.Guard;
        LockoutStance stance = EntryRules.Stance(exchange.Query);
        warnings = [];
        Cidr[] protecting = policy == Policy.Ignore ? Array.FindAll(networks, guard.Protects) : [];
        HashSet<Cidr> gone = [.. protecting];
        foreach (Cidr network in protecting)
        {
            if (guard.ObjectionToUnignore(network, gone) is { } objection)
            {
                warnings.Add($"{network} {objection.Reason}");
                if (guard.Refuses(objection, stance))
                {
                    exchange.AddFault("tag", $"{network} {objection.Text}");
                    break;
                }

                AuditLog.EntryMayLockOut(services.Audit, policy.Name(), network, exchange.ClientName, objection.Reason);
            }
        }

        return !exchange.FailIfFaults(422, ErrorCode.Invalid);
    }

    /// <summary>Returns the number of networks that lost the tag.</summary>
    private long Remove(Cidr[] networks, Policy policy, byte[] tag, byte[] client, ChangeRequest[] changes, ref PlaneRefusal? refusal)
    {
        for (int i = 0; i < networks.Length; i++)
        {
            changes[i] = new ChangeRequest { IsRemoval = true, IsUnderTag = true, IsBulk = true, Policy = policy, Cidr = networks[i], Tag = tag, Creator = client };
        }

        services.Store.Apply(changes.AsSpan(0, networks.Length));
        long removed = 0;
        foreach (ref ChangeRequest change in changes.AsSpan(0, networks.Length))
        {
            refusal = change.Outcome == StoreOutcome.Refused ? change.Refusal ?? refusal : refusal;
            removed += change.Outcome is StoreOutcome.Removed or StoreOutcome.Updated or StoreOutcome.ClaimChanged ? 1 : 0;
        }

        return removed;
    }
}
