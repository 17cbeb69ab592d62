using System.Buffers.Binary;
using System.Numerics;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf;

// Changes of different entries that go to the tries in one system call for each table and kind: half the cost of one by one.
public sealed partial class BpfDataPlane
{
    private readonly byte[] _keys = new byte[RuleStore.MaxTogether * Layout.Key6Size];
    private readonly byte[] _values = new byte[RuleStore.MaxTogether * sizeof(uint)];
    private readonly PlannedChange[] _alike = new PlannedChange[RuleStore.MaxTogether];
    private bool _knowsBatches = true;

    public void Plan(ref PlannedChange change)
    {
        if (change.Change.Kind == RuleChangeKind.Remove)
        {
            return;
        }

        change.Refusal = Reach(change.Change);
        if (change.Refusal is null)
        {
            int counter = _maps.CounterOf(change.Change.Policy, change.Change.Counter);
            change.Rule = !HasRoom(change.Change.Policy, change.Change.Cidr) && _records.TryTake(counter, out uint record)
                ? record
                : (uint)counter;
        }
    }

    public void Write(Span<PlannedChange> changes)
    {
        ulong left = ulong.MaxValue >> (RuleStore.MaxTogether - changes.Length);
        for (int i = 0; i < changes.Length; i++)
        {
            left &= changes[i].Refusal is null ? ulong.MaxValue : ~(1ul << i);
        }

        while (left != 0)
        {
            ulong alike = Alike(changes, left);
            WriteAlike(changes, alike);
            left &= ~alike;
        }
    }

    public void Finish(in PlannedChange change)
    {
        RuleChange rule = change.Change;
        if (rule.Kind == RuleChangeKind.Remove)
        {
            if (change.Refusal is null)
            {
                RemoveFromTables(rule);
            }
        }
        else if (change.Refusal is not null)
        {
            Release(change.Rule);
        }
        else
        {
            RuleIn(rule) = Settle(rule, change.Rule);
            SetInTables(rule, RuleIn(rule), isNew: true);
        }
    }

    /// <summary>How many of the changes go to one trie in one way, as no rule is replaced: at least one.</summary>
    private int CountAlike(ReadOnlySpan<RuleChange> changes)
    {
        RuleChange first = changes[0];
        int count = 0;
        while (count < Math.Min(changes.Length, RuleStore.MaxTogether))
        {
            RuleChange change = changes[count];
            if (!AreAlike(change, first) || (change.Kind == RuleChangeKind.Set && RuleIn(change) != 0))
            {
                break;
            }

            count++;
        }

        return Math.Max(1, count);
    }

    /// <summary>All of them or, as far as the tables in front of the trie and what they count are concerned, none.</summary>
    private bool TryApplyTogether(ReadOnlySpan<RuleChange> changes)
    {
        if (changes.Length == 1 || !_knowsBatches)
        {
            return false;
        }

        RuleChange first = changes[0];
        Span<PlannedChange> planned = _alike.AsSpan(0, changes.Length);
        int count = 0;
        bool isPlanned = true;
        while (isPlanned && count < planned.Length)
        {
            planned[count] = new PlannedChange { Change = changes[count] };
            Plan(ref planned[count]);
            isPlanned = planned[count++].Refusal is null;
        }

        bool isWritten = isPlanned
            && TryWriteTogether(planned, ulong.MaxValue >> (RuleStore.MaxTogether - count), first.Kind, _maps.Trie(first.Policy, first.Cidr.Family));
        foreach (ref readonly PlannedChange change in planned[..count])
        {
            if (isWritten)
            {
                Finish(change);
            }
            else
            {
                Release(change.Rule);
            }
        }

        return isWritten;
    }

    /// <summary>Takes out of their trie what a call for many that failed may have left of new rules that are refused.</summary>
    private void Forget(ReadOnlySpan<RuleChange> refused)
    {
        foreach (ref readonly RuleChange change in refused)
        {
            if (change.Kind == RuleChangeKind.Set && RuleIn(change.Policy, change.Cidr.Family, change.Slot) == 0)
            {
                DeleteFromTrie(change);
            }
        }
    }

    /// <summary>A host that was planned for a place which another one has taken meanwhile gets a record after all.</summary>
    private uint Settle(in RuleChange change, uint rule)
    {
        if (_records.IsRecord(rule) || HasRoom(change.Policy, change.Cidr) || !_records.TryTake((int)rule, out uint record))
        {
            return rule;
        }

        if (WriteTrie(change.Policy, change.Cidr, record) == Errno.None)
        {
            return record;
        }

        Release(record);
        return rule;
    }

    /// <summary>Those of the changes that are left which go to the same trie as the first of them, in the same way.</summary>
    private static ulong Alike(ReadOnlySpan<PlannedChange> changes, ulong left)
    {
        RuleChange first = changes[BitOperations.TrailingZeroCount(left)].Change;
        ulong alike = 0;
        for (int i = 0; i < changes.Length; i++)
        {
            alike |= AreAlike(changes[i].Change, first) ? 1ul << i : 0;
        }

        return alike & left;
    }

    private static bool AreAlike(in RuleChange a, in RuleChange b) =>
        a.Kind == b.Kind && a.Policy == b.Policy && a.Cidr.Family == b.Cidr.Family;

    private void WriteAlike(Span<PlannedChange> changes, ulong which)
    {
        RuleChange first = changes[BitOperations.TrailingZeroCount(which)].Change;
        int count = BitOperations.PopCount(which);
        if (count > 1 && _knowsBatches && TryWriteTogether(changes, which, first.Kind, _maps.Trie(first.Policy, first.Cidr.Family)))
        {
            return;
        }

        for (; which != 0; which &= which - 1)
        {
            ref PlannedChange change = ref changes[BitOperations.TrailingZeroCount(which)];
            Errno errno = change.Change.Kind == RuleChangeKind.Set
                ? WriteTrie(change.Change.Policy, change.Change.Cidr, change.Rule)
                : DeleteFromTrie(change.Change);
            if (errno != Errno.None)
            {
                change.Refusal = Refusal(change.Change, errno);
                Forget([change.Change]);
            }
        }
    }

    /// <summary>
    /// False when the kernel did not take all of them: it may know no batches, be out of memory in the middle of one (seen on Linux
    /// 6.18), or miss a key. Then each is written by itself, which does no harm to those that were.
    /// </summary>
    private bool TryWriteTogether(ReadOnlySpan<PlannedChange> changes, ulong which, RuleChangeKind kind, FileDescriptor trie)
    {
        int count = 0;
        int keys = 0;
        for (; which != 0; which &= which - 1, count++)
        {
            PlannedChange change = changes[BitOperations.TrailingZeroCount(which)];
            keys += TrieEntry.Write(change.Change.Cidr, _keys.AsSpan(keys));
            BinaryPrimitives.WriteUInt32LittleEndian(_values.AsSpan(count * sizeof(uint)), TrieEntry.Value(change.Change.Cidr, change.Rule));
        }

        Errno errno = kind == RuleChangeKind.Set
            ? BpfSyscall.UpdateBatch(trie, _keys.AsSpan(0, keys), _values, count)
            : BpfSyscall.DeleteBatch(trie, _keys.AsSpan(0, keys), count);

        // EINVAL below Linux 5.6, and up to 5.12 a number of the kernel's own (ENOTSUPP, 524) for tries.
        _knowsBatches = errno is Errno.None or Errno.ENOENT or Errno.ENOMEM or Errno.ENOSPC or Errno.EPERM;
        return errno == Errno.None;
    }
}
