using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Couic.Api.Access;
using Couic.Api.Json;
using Couic.Http;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>
/// One bulk request: the result of its items, and the first rejections. A pipeline: while the store applies a block of changes, the next one is
/// read. Not thread-safe.
/// </summary>
internal sealed class BulkJob(
    ApiServices services, Policy policy, Client client, bool removes, ConflictMode mode, LockoutStance stance, bool isLines, byte[]? tag)
{
    /// <summary>Rejections that are listed; the others are counted.</summary>
    private const int MaxTold = 100;

    private readonly BulkWarnings _warnings = new();
    private readonly HashSet<Cidr> _unignored = [];
    private BulkDryRun? _dryRun;
    private ItemReader _reader = new(isLines);
    private BulkStretch _next = new();
    private BulkStretch _present = new();
    private Task _applying = Task.CompletedTask;

    /// <summary>Whether nothing is changed, and the counts are those of a real run.</summary>
    public bool IsDryRun
    {
        get => _dryRun is not null;
        init => _dryRun = value ? new BulkDryRun(services.Store) : null;
    }

    /// <summary>Whether an update keeps what its item does not have.</summary>
    public bool Merges { get; init; }

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

    /// <summary>The body is complete.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Whether no more may be read before <see cref="ApplyAsync"/>.</summary>
    public bool IsFull => _next.IsFull;

    /// <summary>Items that changed or kept something.</summary>
    public long Applied => Items - RejectedCount;

    /// <summary>Reads complete items, as many as the block takes. Returns the bytes consumed.</summary>
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

    /// <summary>Applies the block on another thread, after the block before it.</summary>
    public async ValueTask ApplyAsync()
    {
        await AwaitPresentAsync();
        (_present, _next) = (_next, _present);
        _applying = Task.Run(Apply);
    }

    /// <summary>Applies what was read and releases the memory. Then the counts include all items so far.</summary>
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
        if (change.Outcome is StoreOutcome.Created or StoreOutcome.Updated or StoreOutcome.ClaimChanged or StoreOutcome.Removed)
        {
            Changed.Add(change.Cidr, change.IsRemoval && !change.IsUnderTag ? change.Entry.Tag.Span : change.Tag);
        }

        switch (change.Outcome)
        {
            case StoreOutcome.Updated or StoreOutcome.ClaimChanged when removes:
                Removed++; // the tag's claim is gone, the entry stays for others
                break;
            case StoreOutcome.Conflict when removes:
                Absent++;
                break;
            case StoreOutcome.Created:
                Created++;
                break;
            case StoreOutcome.Updated or StoreOutcome.ClaimChanged:
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
            case StoreOutcome.OverQuota or StoreOutcome.ForeignTag:
                (string field, string message) = RailRules.Refusal(change);
                Reject(_present, index, ErrorCode.Invalid, $"{field}: {message}");
                break;
            case StoreOutcome.TooManyClaims:
                Reject(_present, index, ErrorCode.Conflict, EntryRules.TooManyClaims(change.Cidr));
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
        if (client.Rails is { } rails && !IsDryRun && !rails.TryTake(1, services.Time, out _))
        {
            Reject(_next, Items, ErrorCode.RateLimited, RailRules.RateMessage(rails));
            return;
        }

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
        EntryRequest request = EntryRequest.Read(item, Merges);
        if (EntryRules.Fault(request, policy, now, stance == LockoutStance.Force) is { } fault)
        {
            Reject(_next, Items, ErrorCode.Invalid, fault);
            return;
        }

        if (client.Rails?.Fault(request.Cidr.Network, request.Tag, request.Expiration, now) is { } rail)
        {
            Reject(_next, Items, ErrorCode.Invalid, $"{rail.Field}: {rail.Message}");
            return;
        }

        if (EntryRules.Objection(services, policy, request) is { } objection && IsRefused(request.Cidr, objection))
        {
            return;
        }

        _warnings.Note(services.Store.Guard, policy, request.Cidr);
        if (stance != LockoutStance.Default && EntryRules.FindWider(services.Store, policy, request.Cidr) is { } wider)
        {
            _warnings.NoteWider(request.Cidr.Network, wider);
        }

        ref ChangeRequest change = ref _next.Add(Items, request.Metadata, request.Reason);
        change.IsBulk = true;
        change.Policy = policy;
        change.Mode = mode;
        change.Keeps = Merges ? request.Absent : EntryFields.None;
        change.Cidr = request.Cidr.Network;
        change.Tag = request.Tag;
        change.Expiration = request.Expiration;
        change.Creator = client.Utf8Name;
        change.Limits = client.Rails;
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
        change.IsBulk = true;
        change.Tag = tag;
        change.Policy = policy;
        change.Cidr = cidr.Network;
        change.Creator = client.Utf8Name;
        change.Limits = client.Rails;
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
            AuditLog.EntryMayLockOut(services.Audit, policy.Name(), cidr, client.Name, objection.Reason);
        }

        return false;
    }

    private static void Reject(BulkStretch stretch, long index, ErrorCode code, string message) =>
        stretch.Rejections.Add(new Rejection(index, code, message));

    /// <summary>Whether a line is JSON: otherwise the body is broken, not one item.</summary>
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

/// <summary>A block of a bulk request: changes that are applied in one call, and items that were rejected while they were read.</summary>
internal sealed class BulkStretch
{
    private const int Size = 512;

    /// <summary>Metadata and reasons of all items in bytes, exceeded by one item at most.</summary>
    private const int MaxTextBytes = 64 * 1024;

    private ChangeRequest[] _changes = [];
    private long[] _indexes = [];
    private int _count;
    private int _textBytes;

    /// <summary>Many items have the reason of the one before.</summary>
    private byte[] _lastReason = [];

    /// <summary>The changes; their outcomes once they are applied.</summary>
    public Span<ChangeRequest> Changes => _changes.AsSpan(0, _count);

    /// <summary>Rejected items; first those that were rejected while they were read.</summary>
    public List<BulkJob.Rejection> Rejections { get; } = [];

    public bool IsEmpty => _count == 0 && Rejections.Count == 0;

    public bool IsFull => _count == Size || Rejections.Count == Size || _textBytes >= MaxTextBytes;

    /// <summary>The slot of the next change, to be filled.</summary>
    public ref ChangeRequest Add(long index, byte[]? metadata = null, ReadOnlySpan<byte> reason = default)
    {
        if (_changes.Length == 0)
        {
            _changes = ArrayPool<ChangeRequest>.Shared.Rent(Size); // 100 KB and more
            _indexes = ArrayPool<long>.Shared.Rent(Size);
        }

        if (!reason.IsEmpty && !reason.SequenceEqual(_lastReason))
        {
            _lastReason = reason.ToArray();
            _textBytes += reason.Length;
        }

        _changes[_count].Reason = reason.IsEmpty ? null : _lastReason;
        _textBytes += metadata?.Length ?? 0;
        _changes[_count].Metadata = metadata;
        _indexes[_count] = index;
        return ref _changes[_count++];
    }

    /// <summary>The index of a change in the request.</summary>
    public long Index(int change) => _indexes[change];

    public void Clear()
    {
        Changes.Clear();
        Rejections.Clear();
        _count = 0;
        _textBytes = 0;
    }

    /// <summary>Releases the memory of an empty block.</summary>
    public void Release()
    {
        if (_changes.Length > 0)
        {
            ArrayPool<ChangeRequest>.Shared.Return(_changes);
            ArrayPool<long>.Shared.Return(_indexes);
            _changes = [];
            _indexes = [];
        }
    }
}

/// <summary>
/// Predicts the outcomes of a bulk request without changing anything. Its memory is bounded by the tables: what exceeds them is not
/// recorded. Not thread-safe.
/// </summary>
internal sealed class BulkDryRun(RuleStore store)
{
    private readonly HashSet<Cidr> _added = [];
    private readonly HashSet<Cidr> _removed = [];
    private readonly int[] _counts = new int[2];

    public void Decide(Span<ChangeRequest> changes)
    {
        foreach (ref ChangeRequest change in changes)
        {
            bool isThere = store.TryGet(change.Policy, change.Cidr, out Entry entry);
            change.Outcome = change.IsRemoval ? OfRemoval(change, isThere, entry) : OfAddition(change, isThere, entry);
        }
    }

    private StoreOutcome OfRemoval(in ChangeRequest change, bool isThere, Entry entry) =>
        !isThere ? StoreOutcome.Absent
        : entry.IsOfSet ? StoreOutcome.OwnedBySet
        : _removed.Add(change.Cidr) ? StoreOutcome.Removed
        : StoreOutcome.Absent;

    private static StoreOutcome OfClaim(in ChangeRequest change, in Entry entry)
    {
        if (entry.IsOfSet)
        {
            return StoreOutcome.OwnedBySet;
        }

        bool isClaimed = entry.Tag.Span.SequenceEqual(change.Tag);
        foreach (Claim claim in entry.Claims ?? [])
        {
            isClaimed |= claim.Tag.AsSpan().SequenceEqual(change.Tag);
        }

        return isClaimed ? StoreOutcome.Conflict : entry.Claims?.Length >= Claims.MaxPerEntry ? StoreOutcome.TooManyClaims : StoreOutcome.Updated;
    }

    private StoreOutcome OfAddition(in ChangeRequest change, bool isThere, Entry entry)
    {
        if (isThere || _added.Contains(change.Cidr))
        {
            bool differs = isThere && ((!change.Keeps.HasFlag(EntryFields.Expiration) && entry.Expiration != change.Expiration)
                || (!change.Keeps.HasFlag(EntryFields.Tag) && !entry.Tag.Span.SequenceEqual(change.Tag))
                || (!change.Keeps.HasFlag(EntryFields.Reason) && !entry.Reason.Span.SequenceEqual(change.Reason)));
            return change.Mode == ConflictMode.Refuse ? StoreOutcome.Conflict
                : change.Mode == ConflictMode.Claim && isThere ? OfClaim(change, entry)
                : isThere && entry.IsOfSet ? StoreOutcome.OwnedBySet
                : differs ? StoreOutcome.Updated
                : StoreOutcome.Unchanged;
        }

        IpFamily family = change.Cidr.Family;
        if (store.Count(change.Policy, family) + _counts[(int)family] >= store.Limits.Entries(change.Policy))
        {
            return StoreOutcome.Full;
        }

        _added.Add(change.Cidr);
        _counts[(int)family]++;
        return StoreOutcome.Created;
    }
}

/// <summary>The warnings of a bulk request: the first objections of the guard in full, all others as a count. Not thread-safe.</summary>
internal sealed class BulkWarnings
{
    /// <summary>Objections that are listed; the others are counted.</summary>
    private const int MaxListed = 100;

    private readonly List<string> _listed = [];
    private long _unlisted;
    private long _mapped;
    private long _ignored;
    private long _stray;
    private long _broad;
    private long _covered;
    private string _firstCovered = "";

    /// <summary>Adds an objection; false when it is only counted.</summary>
    public bool Add(string text)
    {
        bool isListed = _listed.Count < MaxListed;
        if (isListed)
        {
            _listed.Add(text);
        }
        else
        {
            _unlisted++;
        }

        return isListed;
    }

    /// <summary>Counts the other warnings of an addition.</summary>
    public void Note(LockoutGuard guard, Policy policy, Cidr cidr)
    {
        _mapped += cidr.IsV4Mapped ? 1 : 0;
        _stray += cidr.HasStrayHostBits ? 1 : 0;
        _ignored += policy == Policy.Drop && guard.IsIgnored(cidr.Network) ? 1 : 0;
        _broad += policy == Policy.Ignore && LockoutGuard.WarningOfIgnore(cidr.Network) is not null ? 1 : 0;
    }

    /// <summary>Counts an item that an entry covers already; the first one is named.</summary>
    public void NoteWider(Cidr network, Cidr wider)
    {
        _firstCovered = _covered == 0 ? $"{wider} covers {network}" : _firstCovered;
        _covered++;
    }

    public List<string> Texts(Policy policy)
    {
        var texts = new List<string>(_listed);
        AddCount(texts, _unlisted, "more of such items");
        AddCount(texts, _ignored, "items are in ignore, which wins: their addresses still pass");
        AddCount(texts, _covered, $"items are covered by wider entries of {policy.Name()} already, such as {_firstCovered}");
        AddCount(texts, _mapped, "items are IPv4-mapped: they are IPv6 entries and match no IPv4 packet");
        AddCount(texts, _stray, "items have host bits set below a short prefix, and cover more than they seem to");
        AddCount(texts, _broad, $"items cover a quarter of all addresses or more: in {policy.Name()} they switch the filter off for those");
        return texts;
    }

    private static void AddCount(List<string> texts, long count, string what)
    {
        if (count > 0)
        {
            texts.Add(string.Create(CultureInfo.InvariantCulture, $"{count} {what}"));
        }
    }
}
