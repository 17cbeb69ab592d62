using System.Text;
using System.Text.Json;
using Couic.Api.Json;
using Couic.Http;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>
/// One bulk request as it is worked off: what each item did, and the first rejections. While the store makes a stretch of changes,
/// the next one is read. Not thread-safe.
/// </summary>
internal sealed class BulkJob(
    ApiServices services, Policy policy, byte[] client, bool removes, ConflictMode mode, LockoutStance stance, bool isLines, byte[]? tag)
{
    /// <summary>Rejections that are told in full; the others are counted.</summary>
    private const int MaxTold = 100;

    private readonly BulkWarnings _warnings = new();
    private readonly HashSet<Cidr> _unignored = [];
    private BulkDryRun? _dryRun;
    private ItemReader _reader = new(isLines);
    private BulkStretch _next = new();
    private BulkStretch _present = new();
    private Task _applying = Task.CompletedTask;

    /// <summary>Whether nothing is changed, and the counts are those that would come about.</summary>
    public bool IsDryRun
    {
        get => _dryRun is not null;
        init => _dryRun = value ? new BulkDryRun(services.Store) : null;
    }

    public IReadOnlyList<string> Warnings => _warnings.Texts(policy);

    public readonly record struct Rejection(long Index, ErrorCode Code, string Message);

    public long Created { get; private set; }

    public long Updated { get; private set; }

    public long Unchanged { get; private set; }

    public long Removed { get; private set; }

    public long Absent { get; private set; }

    public long RejectedCount { get; private set; }

    public List<Rejection> Rejected { get; } = [];

    /// <summary>The entries that were changed, for the log.</summary>
    public AuditSample Changed { get; } = new();

    /// <summary>Items so far.</summary>
    public long Items { get; private set; }

    /// <summary>The body has ended as it should.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Whether no more may be read before <see cref="ApplyAsync"/>.</summary>
    public bool IsFull => _next.IsFull;

    /// <summary>Items that changed or kept something.</summary>
    public long Applied => Items - RejectedCount;

    /// <summary>Reads the whole items of a piece, as many as it may. Returns how many bytes are done with.</summary>
    /// <exception cref="JsonException">The body itself is broken, at item <see cref="Items"/>.</exception>
    public int Read(ReadOnlySpan<byte> bytes, bool isLast)
    {
        ulong now = services.Now;
        int done = 0;
        while (!HasEnded && !IsFull)
        {
            ItemStep step = _reader.Next(bytes[done..], isLast, out int consumed, out ReadOnlySpan<byte> item);
            if (step != ItemStep.Item)
            {
                HasEnded = step == ItemStep.End;
                return done + consumed;
            }

            ReadItem(item, now);
            done += consumed;
            Items++;
        }

        return done;
    }

    /// <summary>Has what was read applied on another thread, once what was before it is done.</summary>
    public async ValueTask ApplyAsync()
    {
        await AwaitPresentAsync();
        (_present, _next) = (_next, _present);
        _applying = Task.Run(Apply);
    }

    /// <summary>Applies the rest of what was read, and holds no memory afterwards. The counts are those of all items so far then.</summary>
    public async ValueTask SettleAsync()
    {
        await AwaitPresentAsync();
        (_present, _next) = (_next, _present);
        Apply();
        await AwaitPresentAsync();
        _present.Release();
        _next.Release();
    }

    private void Apply()
    {
        if (_dryRun is { } dryRun)
        {
            dryRun.Decide(_present.Changes);
        }
        else
        {
            services.Store.ApplyChunk(_present.Changes);
        }
    }

    private async ValueTask AwaitPresentAsync()
    {
        await _applying;
        _applying = Task.CompletedTask;
        int read = _present.Rejections.Count;
        for (int i = 0; i < _present.Changes.Length; i++)
        {
            Count(_present.Changes[i], _present.Index(i));
        }

        if (read > 0 && read < _present.Rejections.Count)
        {
            _present.Rejections.Sort(static (a, b) => a.Index.CompareTo(b.Index));
        }

        RejectedCount += _present.Rejections.Count;
        Rejected.AddRange(_present.Rejections.Take(MaxTold - Rejected.Count));
        _present.Clear();
    }

    private void Count(in ChangeRequest change, long index)
    {
        if (change.Outcome is StoreOutcome.Created or StoreOutcome.Updated or StoreOutcome.Removed)
        {
            Changed.Add(change.Cidr, change.IsRemoval ? change.Entry.Tag.Span : change.Tag);
        }

        switch (change.Outcome)
        {
            case StoreOutcome.Updated or StoreOutcome.Unchanged when removes:
                Removed++; // the tag's claim is gone, the entry stays for others
                break;
            case StoreOutcome.Conflict when removes:
                Absent++;
                break;
            case StoreOutcome.Created:
                Created++;
                break;
            case StoreOutcome.Updated:
                Updated++;
                break;
            case StoreOutcome.Unchanged or StoreOutcome.Conflict:
                Unchanged++;
                break;
            case StoreOutcome.Removed:
                Removed++;
                break;
            case StoreOutcome.Absent:
                Absent++;
                break;
            case StoreOutcome.OwnedBySet:
                Reject(_present, index, ErrorCode.Invalid, $"{change.Cidr} is defined by a set");
                break;
            case StoreOutcome.Full:
                Reject(_present, index, ErrorCode.Conflict, EntryRules.FullMessage(policy, change.Cidr.Family, services.Store.Limits));
                break;
            default:
                Reject(_present, index, ErrorCode.Internal, $"the kernel refused the change: {change.Refusal?.Message}");
                break;
        }
    }

    private void ReadItem(ReadOnlySpan<byte> item, ulong now)
    {
        try
        {
            if (removes)
            {
                ReadRemoval(item);
            }
            else
            {
                ReadAddition(item, now);
            }
        }
        catch (JsonException e) when (!isLines || IsWellFormed(item))
        {
            Reject(_next, Items, ErrorCode.BadRequest, e.BytePositionInLine is null ? e.Message : StrictJson.Explain(e));
        }
    }

    private void ReadAddition(ReadOnlySpan<byte> item, ulong now)
    {
        EntryRequest request = EntryRequest.Read(item);
        if (EntryRules.Fault(request, policy, now, stance == LockoutStance.Force) is { } fault)
        {
            Reject(_next, Items, ErrorCode.Invalid, fault);
            return;
        }

        if (EntryRules.Objection(services, policy, request) is { } objection && IsRefused(request.Cidr, objection))
        {
            return;
        }

        _warnings.Note(services.Store.Guard, policy, request.Cidr);

        ref ChangeRequest change = ref _next.Add(Items, request.Metadata);
        change.Policy = policy;
        change.Mode = mode;
        change.Cidr = request.Cidr.Network;
        change.Tag = request.Tag;
        change.Expiration = request.Expiration;
        change.Creator = client;
    }

    private void ReadRemoval(ReadOnlySpan<byte> item)
    {
        Utf8JsonReader reader = StrictJson.Open(item);
        StrictJson.Next(ref reader);
        CidrFault fault = Cidr.TryParse(StrictJson.Text(ref reader, "each item"), out Cidr cidr);
        StrictJson.End(ref reader);
        if (fault != CidrFault.None)
        {
            Reject(_next, Items, ErrorCode.Invalid, $"cidr: {fault.Explain()}");
            return;
        }

        if (policy == Policy.Ignore && services.Store.Guard.Protects(cidr.Network))
        {
            if (services.Store.Guard.ObjectionToUnignore(cidr.Network, _unignored) is { } objection && IsRefused(cidr, objection))
            {
                return;
            }

            _unignored.Add(cidr.Network);
        }

        ref ChangeRequest change = ref _next.Add(Items);
        change.IsRemoval = true;
        change.IsUnderTag = tag is not null;
        change.Tag = tag;
        change.Policy = policy;
        change.Cidr = cidr.Network;
        change.Creator = client;
    }

    /// <summary>Rejects the present item, or warns of it.</summary>
    private bool IsRefused(Cidr cidr, LockoutObjection objection)
    {
        if (services.Store.Guard.Refuses(objection, stance))
        {
            Reject(_next, Items, ErrorCode.Invalid, $"cidr: {objection.Text}");
            return true;
        }

        if (_warnings.Add($"item {Items}: {cidr.Network} {objection.Reason}") && !IsDryRun)
        {
            AuditLog.EntryMayLockOut(services.Audit, policy.Name(), cidr, Encoding.UTF8.GetString(client), objection.Reason);
        }

        return false;
    }

    private static void Reject(BulkStretch stretch, long index, ErrorCode code, string message) =>
        stretch.Rejections.Add(new Rejection(index, code, message));

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
