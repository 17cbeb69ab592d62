using System.Text;
using System.Text.Json;
using Couic.Http.Json;
using Couic.Store;

namespace Couic.Http.Endpoints;

/// <summary>One bulk request as it is worked off: what each item did, and the first rejections.</summary>
internal sealed class BulkJob(ApiServices services, Policy policy, byte[] client, bool removes, ConflictMode mode, bool force, bool refuses, bool isLines)
{
    /// <summary>Rejections that are told in full; the others are counted.</summary>
    private const int MaxTold = 100;

    /// <summary>Items that are applied without letting go of the store.</summary>
    private const int Stretch = 64;

    private ItemReader _reader = new(isLines);

    public readonly record struct Rejection(long Index, ErrorCode Code, string Message);

    public long Created { get; private set; }

    public long Updated { get; private set; }

    public long Unchanged { get; private set; }

    public long Removed { get; private set; }

    public long Absent { get; private set; }

    public long RejectedCount { get; private set; }

    public List<Rejection> Rejected { get; } = [];

    /// <summary>Items so far.</summary>
    public long Items { get; private set; }

    public bool HasEnded { get; private set; }

    /// <summary>Items that changed or kept something.</summary>
    public long Applied => Items - RejectedCount;

    /// <summary>Works off the whole items of a piece. Returns how many bytes are done with.</summary>
    /// <exception cref="JsonException">The body itself is broken, at item <see cref="Items"/>.</exception>
    public int Process(ReadOnlySpan<byte> bytes, bool isLast)
    {
        ulong now = services.Now;
        int done = 0;
        while (!HasEnded)
        {
            using Lock.Scope held = services.Store.Hold();
            for (int i = 0; i < Stretch; i++)
            {
                ItemStep step = _reader.Next(bytes[done..], isLast, out int consumed, out ReadOnlySpan<byte> item);
                if (step != ItemStep.Item)
                {
                    HasEnded = step == ItemStep.End;
                    return done + consumed;
                }

                Apply(item, now);
                done += consumed;
                Items++;
            }
        }

        return done;
    }

    private void Apply(ReadOnlySpan<byte> item, ulong now)
    {
        try
        {
            if (removes)
            {
                Remove(item);
            }
            else
            {
                Add(item, now);
            }
        }
        catch (JsonException e) when (!isLines || IsWellFormed(item))
        {
            Reject(ErrorCode.BadRequest, e.BytePositionInLine is null ? e.Message : StrictJson.Explain(e));
        }
    }

    private void Add(ReadOnlySpan<byte> item, ulong now)
    {
        EntryRequest request = EntryRequest.Read(item);
        if (EntryRules.Fault(request, policy, now, force) is { } fault)
        {
            Reject(ErrorCode.Invalid, fault);
            return;
        }

        if (EntryRules.LockOut(services, policy, request) is { } lockOut)
        {
            if (!force && (refuses || lockOut.IsRefused))
            {
                Reject(ErrorCode.Invalid, $"cidr: {EntryRules.Advice(lockOut)}");
                return;
            }

            AuditLog.EntryMayLockOut(services.Audit, policy.Name(), request.Cidr, Encoding.UTF8.GetString(client), lockOut.Objection);
        }

        var context = new ChangeContext(ChangeOrigin.Api, client, request.Metadata);
        StoreOutcome outcome = services.Store.Add(policy, request.Cidr, request.Tag, request.Expiration, mode, context, out _);
        switch (outcome)
        {
            case StoreOutcome.Created:
                Created++;
                break;
            case StoreOutcome.Updated:
                Updated++;
                break;
            case StoreOutcome.Unchanged or StoreOutcome.Conflict:
                Unchanged++;
                break;
            default:
                Reject(outcome, request.Cidr);
                break;
        }
    }

    private void Remove(ReadOnlySpan<byte> item)
    {
        Utf8JsonReader reader = StrictJson.Open(item);
        StrictJson.Next(ref reader);
        CidrFault fault = Cidr.TryParse(StrictJson.Text(ref reader, "each item"), out Cidr cidr);
        StrictJson.End(ref reader);
        if (fault != CidrFault.None)
        {
            Reject(ErrorCode.Invalid, $"cidr: {fault.Explain()}");
            return;
        }

        StoreOutcome outcome = services.Store.Remove(policy, cidr, new ChangeContext(ChangeOrigin.Api, client), out _);
        switch (outcome)
        {
            case StoreOutcome.Removed:
                Removed++;
                break;
            case StoreOutcome.Absent:
                Absent++;
                break;
            default:
                Reject(outcome, cidr);
                break;
        }
    }

    private void Reject(StoreOutcome outcome, Cidr cidr)
    {
        (ErrorCode code, string message) = outcome switch
        {
            StoreOutcome.OwnedBySet => (ErrorCode.Invalid, $"{cidr.Network} is defined by a set"),
            StoreOutcome.Full => (ErrorCode.Conflict, EntryRules.FullMessage(policy, cidr.Family, services.Store.Limits)),
            _ => (ErrorCode.Internal, $"the kernel refused the change: {services.Store.LastRefusal?.Message}"),
        };
        Reject(code, message);
    }

    private void Reject(ErrorCode code, string message)
    {
        RejectedCount++;
        if (Rejected.Count < MaxTold)
        {
            Rejected.Add(new Rejection(Items, code, message));
        }
    }

    /// <summary>Whether a line is JSON at all: if not, the body is broken, and it is no matter of one item.</summary>
    private static bool IsWellFormed(ReadOnlySpan<byte> line)
    {
        try
        {
            Utf8JsonReader reader = StrictJson.Open(line);
            while (reader.Read())
            {
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
