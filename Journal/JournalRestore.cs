using Couic.Peering;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Journal;

/// <summary>What a start took over from the journal.</summary>
/// <param name="Rules">Rules in force again.</param>
/// <param name="Expired">Rules whose time ended before.</param>
/// <param name="OwnedBySet">Rules that a set defines now.</param>
/// <param name="Refused">Rules that are not in force: the table is full, the kernel or the guard refused them, or the record makes no sense.</param>
internal sealed record RestoreCounts(int Rules = 0, int Expired = 0, int OwnedBySet = 0, int Refused = 0);

/// <summary>
/// Brings the values of a journal back into force, before the daemon serves: in batches, with the time that is left of each, under their
/// versions. Reads the file twice: first which record of each slot is the last, then these, so memory is bounded by the slots.
/// </summary>
internal sealed partial class JournalRestore(RuleStore store, PeeringEngine? peering, JournalWriter writer, TimeProvider time, ILogger log)
{
    private const int BatchSize = 512;

    /// <summary>Objections of the guard that are logged.</summary>
    private const int MaxLogged = 10;

    private readonly long[]?[] _last = new long[]?[SlotId.Tables];
    private readonly ChangeRequest[] _requests = new ChangeRequest[BatchSize];
    private readonly JournalRecord[] _records = new JournalRecord[BatchSize];
    private readonly NameTable _creators = new(pinned: 0);
    private JournalTime _written;
    private int _count;
    private int _objections;
    private int _rules;
    private int _expired;
    private int _ownedBySet;
    private int _refused;

    /// <summary>Restores all whole records before the first damage.</summary>
    /// <param name="file">Can seek.</param>
    /// <param name="fault">Why records after some byte are missing; null when none are.</param>
    /// <param name="isTorn">Whether only the end was not written completely.</param>
    public RestoreCounts Run(Stream file, out string? fault, out bool isTorn)
    {
        Scan(file, out fault, out isTorn);
        writer.Observe(_written.Logical);
        file.Position = 0;
        var reader = new JournalReader(file);
        if (!reader.TryStart())
        {
            return new RestoreCounts();
        }

        for (long at = reader.Offset; reader.TryRead(out ReadOnlyMemory<byte> payload); at = reader.Offset)
        {
            if (JournalFormat.TryReadSlot(payload.Span, out SlotId slot) && _last[slot.Table] is { } last && slot.Slot < last.Length && last[slot.Slot] == at)
            {
                Take(payload);
            }
        }

        Apply();
        return new RestoreCounts(_rules, _expired, _ownedBySet, _refused);
    }

    /// <summary>Finds the last record of each slot.</summary>
    private void Scan(Stream file, out string? fault, out bool isTorn)
    {
        var reader = new JournalReader(file);
        if (reader.TryStart())
        {
            for (long at = reader.Offset; reader.TryRead(out ReadOnlyMemory<byte> payload); at = reader.Offset)
            {
                if (JournalFormat.TryReadSlot(payload.Span, out SlotId slot))
                {
                    ref long[]? last = ref _last[slot.Table];
                    if (last is null || slot.Slot >= last.Length)
                    {
                        Array.Resize(ref last, Math.Max(4096, Math.Max(slot.Slot + 1, 2 * (last?.Length ?? 0))));
                    }

                    last[slot.Slot] = at;
                }
                else if (JournalFormat.TryReadTime(payload.Span, out JournalTime written))
                {
                    _written = new JournalTime(Math.Max(_written.Wall, written.Wall), Math.Max(_written.Logical, written.Logical));
                }
            }
        }

        _written = _written with { Wall = Math.Max(_written.Wall, reader.Header.Created) };
        (fault, isTorn) = (reader.Fault, reader.IsTorn);
    }

    /// <summary>
    /// The wall clock, which is not earlier than the last record: a machine without a battery-backed clock starts in the past, and its rules
    /// would last for years.
    /// </summary>
    private long Now => Math.Max(time.GetUtcNow().ToUnixTimeMilliseconds(), _written.Wall);

    private void Take(ReadOnlyMemory<byte> payload)
    {
        if (!JournalFormat.TryRead(payload, out JournalRecord record))
        {
            _refused++;
            return;
        }

        if (record.IsEmpty)
        {
            return;
        }

        TimeSpan? left = record.Ends == 0 ? null : TimeSpan.FromMilliseconds(record.Ends - Now);
        if (record.State == RegisterState.Live && left <= TimeSpan.Zero)
        {
            _expired++;
            record.State = RegisterState.Expired;
        }

        if (record.State != RegisterState.Live)
        {
            peering?.RestoreTombstone(record.Slot.Policy, record.Cidr, record.Version, record.State);
            return;
        }

        // The texts lie in the reader's buffer.
        byte[]? reason = record.Reason.IsEmpty ? null : record.Reason.ToArray();
        record.Tag = record.Tag.ToArray();
        record.Reason = reason;
        byte[] creator = _creators[_creators.Acquire(record.Creator.Span)];
        record.Claims = record.Claims?.ConvertAll(claim => claim with { Tag = claim.Tag.ToArray(), Creator = claim.Creator.ToArray(), Reason = claim.Reason.ToArray() });
        _records[_count] = record;
        _requests[_count] = new ChangeRequest
        {
            Policy = record.Slot.Policy,
            Mode = ConflictMode.Update,
            Cidr = record.Cidr,
            Tag = record.Tag.Span,
            Expiration = record.Expiration,
            Creator = creator,
            Reason = reason,
            Kept = new KeptFacts(record.Origin, record.Creation == 0 ? (ulong)(Now / 1000) : record.Creation, left),
        };
        _count++;
        if (_count == BatchSize)
        {
            Apply();
        }
    }

    private void Apply()
    {
        int allowed = Withhold();
        store.Apply(_requests.AsSpan(0, allowed));
        for (int i = 0; i < _count; i++)
        {
            Complete(_records[i], i < allowed ? _requests[i].Outcome : StoreOutcome.Refused, _requests[i].Entry, _requests[i].Kept!.Value.Left);
        }

        _count = 0;
    }

    /// <summary>Moves what the guard refuses to the end of the batch.</summary>
    /// <returns>How many remain before.</returns>
    private int Withhold()
    {
        int allowed = _count;
        for (int i = 0; i < allowed;)
        {
            LockoutObjection? objection = _records[i].Slot.Policy == Policy.Drop ? store.Guard.ObjectionToDrop(_records[i].Cidr) : null;
            bool isRefused = objection is not null && store.Guard.Refuses(objection, LockoutStance.Default);
            if (objection is not null && _objections++ < MaxLogged)
            {
                Objected(_records[i].Cidr, isRefused ? "not restored" : "restored", objection.Text);
            }

            if (!isRefused)
            {
                i++;
                continue;
            }

            allowed--;
            (_records[i], _records[allowed]) = (_records[allowed], _records[i]);
            (_requests[i], _requests[allowed]) = (_requests[allowed], _requests[i]);
        }

        return allowed;
    }

    private void Complete(in JournalRecord record, StoreOutcome outcome, in Entry entry, TimeSpan? left)
    {
        Policy policy = record.Slot.Policy;
        bool isInForce = outcome is StoreOutcome.Created or StoreOutcome.Updated or StoreOutcome.Unchanged;
        if (isInForce)
        {
            _rules++;
            writer.OnRestored(policy, entry, record.Version);
            foreach (KeptClaim claim in record.Claims ?? [])
            {
                Restore(policy, record.Cidr, claim);
            }
        }
        else if (outcome == StoreOutcome.OwnedBySet)
        {
            _ownedBySet++;
        }
        else
        {
            _refused++;
        }

        peering?.RestoreRule(policy, record.Cidr, record.Version, record.Tag, record.Reason, record.Expiration, left, outcome);
    }

    private void Restore(Policy policy, Cidr cidr, in KeptClaim claim)
    {
        TimeSpan? left = claim.Ends == 0 ? null : TimeSpan.FromMilliseconds(claim.Ends - Now);
        if (left is null || left > TimeSpan.Zero)
        {
            var context = new ChangeContext(ChangeOrigin.Journal, claim.Creator.Span, left: left, reason: claim.Reason.Span, kept: new KeptFacts(claim.Origin, 0, left));
            store.Add(policy, cidr, claim.Tag.Span, claim.Expiration, ConflictMode.Extend, context, out _);
        }
    }

    [LoggerMessage(EventName = "journal_guard", Level = LogLevel.Warning, Message = "rule {Cidr} of drop is {State} from the journal: {Objection}")]
    private partial void Objected(Cidr cidr, string state, string objection);
}
