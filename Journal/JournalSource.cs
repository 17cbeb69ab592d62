using Couic.Peering;
using Couic.Store;

namespace Couic.Journal;

/// <summary>A table that the journal follows by slot. Its marks and values are read under the store's lock.</summary>
internal abstract class JournalSource
{
    private ushort[] _lengths = [];

    /// <summary>Bytes of the frames that a journal of the present values needs.</summary>
    public long Bytes { get; private set; }

    /// <summary>Slots that hold a value, of those that were written.</summary>
    public int Values { get; private set; }

    /// <summary><see cref="SlotId.Table"/>.</summary>
    public abstract byte Number { get; }

    /// <summary>One past the highest slot in use.</summary>
    public abstract int Used { get; }

    public abstract bool HasMarks { get; }

    /// <summary>Takes the first mark from a slot on; -1 when there is none.</summary>
    public abstract int Take(int from);

    public abstract void Mark(int slot);

    public abstract void Read(int slot, ref JournalRecord record);

    /// <summary>Whether the slot's last frame has a value.</summary>
    public bool WasWritten(int slot) => slot < _lengths.Length && _lengths[slot] > 0;

    /// <summary>Nothing of it is in a journal.</summary>
    public void Reset() => (_lengths, Bytes, Values) = ([], 0, 0);

    /// <summary>A slot was written with a frame of this length; 0 when it is empty.</summary>
    public void OnWritten(int slot, int length)
    {
        if (slot >= _lengths.Length)
        {
            Array.Resize(ref _lengths, Math.Max(1024, Math.Max(slot + 1, _lengths.Length * 2)));
        }

        Bytes += length - _lengths[slot];
        Values += Math.Sign(length) - Math.Sign(_lengths[slot]);
        _lengths[slot] = (ushort)length;
    }
}

/// <summary>
/// The entries of one table of the store, but for those of sets. The journal gives them versions, so that a rule has one if it is replicated
/// after a later start.
/// </summary>
internal sealed class EntrySource(RuleStore store, Policy policy, IpFamily family, HybridClock clock, ulong node, TimeProvider time) : JournalSource
{
    private readonly RuleTable _table = store.Tables[policy, family];
    private readonly SlotMarks _marks = new();

    /// <summary>The version's time of each slot; 0 when it changed since it was written.</summary>
    private ulong[] _versions = [];

    public override byte Number { get; } = SlotId.OfEntries(policy, family);

    public override int Used => _table.Entries.Used;

    public override bool HasMarks => _marks.Count > 0;

    public override int Take(int from) => _marks.Take(from);

    public override void Mark(int slot) => _marks.Set(slot);

    /// <summary>An entry changed: it gets another version.</summary>
    public void OnChange(int slot)
    {
        _marks.Set(slot);
        if (slot < _versions.Length)
        {
            _versions[slot] = 0;
        }
    }

    /// <summary>A restored entry keeps its version.</summary>
    public void OnRestored(int slot, ulong version) => VersionOf(slot) = version;

    public override void Read(int slot, ref JournalRecord record)
    {
        ref readonly EntrySlot held = ref _table.Entries[slot];
        record = new JournalRecord { Slot = new SlotId(Number, slot), IsEmpty = !held.InUse || held.Origin == ChangeOrigin.Set };
        if (held.IsBusy)
        {
            _marks.Set(slot); // what it holds may still be rolled back
        }

        if (record.IsEmpty)
        {
            return;
        }

        ref ulong version = ref VersionOf(slot);
        version = version == 0 ? clock.Next() : version;
        record.Version = new RuleVersion(version, node);
        EntryFields.Fill(ref record, store.Tables, _table, slot, time);
    }

    private ref ulong VersionOf(int slot)
    {
        if (slot >= _versions.Length)
        {
            Array.Resize(ref _versions, Math.Max(1024, Math.Max(slot + 1, _versions.Length * 2)));
        }

        return ref _versions[slot];
    }
}

/// <summary>The registers of a replicated policy, live and removed, with what the store holds beside them.</summary>
internal sealed class RegisterSource(RuleStore store, RegisterTable index, TimeProvider time) : JournalSource
{
    public RegisterTable Index => index;

    public override byte Number { get; } = SlotId.OfRegisters(index.Policy);

    public override int Used => index.UsedSlots;

    public override bool HasMarks => index.HasChanges;

    public override int Take(int from) => index.TakeChange(from);

    public override void Mark(int slot) => index.MarkChange(slot);

    public override void Read(int slot, ref JournalRecord record)
    {
        record = new JournalRecord { Slot = new SlotId(Number, slot), IsEmpty = !index.TryRead(slot, out OutgoingJob job) };
        if (record.IsEmpty)
        {
            return;
        }

        record.State = job.State;
        record.Cidr = job.Cidr;
        record.Version = job.Version;
        if (job.State != RegisterState.Live)
        {
            return;
        }

        record.Tag = job.Tag;
        record.Reason = job.Reason;
        record.Expiration = job.Expiration;
        record.Ends = job.Left is { } left ? EntryFields.EndOf(left, time) : 0;
        RuleTable table = store.Tables[index.Policy, job.Cidr.Family];
        int entry = table.Entries.Find(job.Cidr);
        if (entry >= 0 && table.Entries[entry].Origin != ChangeOrigin.Set)
        {
            EntryFields.Fill(ref record, store.Tables, table, entry, time, isRegister: true);
        }
    }
}

/// <summary>Copies what an entry of the store holds into a record.</summary>
internal static class EntryFields
{
    /// <param name="isRegister">Whether tag, reason and expiry are known from the register, which is the newer one.</param>
    public static void Fill(ref JournalRecord record, RuleTables tables, RuleTable table, int slot, TimeProvider time, bool isRegister = false)
    {
        ref readonly EntrySlot held = ref table.Entries[slot];
        record.Origin = held.Origin;
        record.Creation = held.Creation;
        record.Creator = tables.Creators[held.Creator];
        if (!isRegister)
        {
            record.Cidr = held.Cidr;
            record.Tag = tables.Tags(table.Policy)[held.Tag];
            record.Reason = held.HasReason ? table.Reasons.Text(slot) : default(ReadOnlyMemory<byte>);
            record.Expiration = held.Expiration;
            record.Ends = EndOf(held.Deadline, time);
        }

        foreach (Claim claim in table.Claims.Of(slot))
        {
            (record.Claims ??= []).Add(new KeptClaim(claim.Tag, claim.Creator, claim.Reason, claim.Origin, claim.Expiration, EndOf(claim.Deadline, time)));
        }
    }

    /// <summary>Milliseconds since 1970; at least 1, as 0 is for never.</summary>
    public static long EndOf(TimeSpan left, TimeProvider time) =>
        (long)Math.Clamp((time.GetUtcNow() - DateTimeOffset.UnixEpoch + left).TotalMilliseconds, 1, MaxEnd);

    private const long MaxEnd = 253_402_300_799_999;

    private static long EndOf(long deadline, TimeProvider time) =>
        deadline == long.MaxValue ? 0 : EndOf(time.GetElapsedTime(time.GetTimestamp(), deadline), time);
}
