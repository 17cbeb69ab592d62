using System.Buffers.Binary;
using Couic.Bpf.Tables;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf;

/// <summary>
/// Keeps the kernel's maps as the store decides. It needs no privilege: inherited descriptors are enough to change and read maps. A
/// process has one instance for its maps, from the moment at which they are empty.
/// </summary>
public sealed partial class BpfDataPlane : IDataPlane, IDisposable
{
    private readonly PlaneMaps _maps;
    private readonly TimeProvider _time;
    private readonly MappedMemory _lines;
    private readonly OverflowStats _overflowStats;
    private readonly Tables4[] _tables4 = new Tables4[2];
    private readonly Tables6[] _tables6 = new Tables6[2];

    /// <summary>Keys and values of the call that writes several changes.</summary>
    private readonly byte[] _keys = new byte[ChangeBatch.Capacity * Layout.Key6Size];
    private readonly byte[] _values = new byte[ChangeBatch.Capacity * sizeof(uint)];
    private bool _knowsBatches = true;

    /// <summary>The rule in each slot, by policy and family; 0 where there is none. A change to one that has a rule replaces it.</summary>
    private readonly uint[][] _rules = [[], [], [], []];

    /// <param name="maps">Taken over, and disposed with this.</param>
    /// <param name="time">For when an entry was last hit.</param>
    /// <exception cref="BpfException">The maps cannot be mapped into memory.</exception>
    public BpfDataPlane(PlaneMaps maps, TimeProvider time)
    {
        _maps = maps;
        _time = time;
        var layout = new TableLayout(maps.Limits);
        _overflowStats = new OverflowStats(maps);
        _lines = PlaneMaps.Map(maps.Lines, (long)layout.Lines * Layout.CacheLineSize);
        foreach (Policy policy in Policies.All)
        {
            _tables4[(int)policy] = new Tables4(_lines, policy, layout.V4(policy));
            _tables6[(int)policy] = new Tables6(_lines, policy, layout.V6(policy));
        }
    }

    /// <summary>The sizes of the maps.</summary>
    public StoreLimits Limits => _maps.Limits;

    /// <summary>Takes over maps that another program created and passed on; see <see cref="PlaneMaps.ToText"/>.</summary>
    /// <exception cref="BpfException">They are not what the text says.</exception>
    public static BpfDataPlane FromDescriptors(string text, TimeProvider time) => new(PlaneMaps.FromText(text), time);

    public void Prepare(ref EntryMutation mutation)
    {
        if (mutation.Kind == MutationKind.Remove)
        {
            return;
        }

        uint held = RuleIn(mutation);
        int counter = _maps.CounterOf(mutation.Policy, mutation.Counter);
        mutation.IsWritten = held == counter || _overflowStats.Owns(held);
        if (mutation.IsWritten)
        {
            mutation.Rule = held; // a record stays, and only the counter that it names changes
            return;
        }

        bool isNew = held == 0;
        mutation.Refusal = isNew ? EnsureMapped(mutation) : null;
        if (mutation.Refusal is null)
        {
            mutation.Rule = isNew && !HasFreeSlot(mutation.Policy, mutation.Cidr) && _overflowStats.TryTake(counter, out uint record) ? record : (uint)counter;
        }
    }

    /// <summary>
    /// Writes the tries, which can refuse. In this order no source gets a verdict that it has neither before nor after: an entry of
    /// <c>ignore</c> is the first to come and the last to go.
    /// </summary>
    public void Write(Span<EntryMutation> mutations)
    {
        WriteTries(mutations, MutationKind.Put, Policy.Ignore);
        WriteTries(mutations, MutationKind.Put, Policy.Drop);
        WriteTries(mutations, MutationKind.Remove, Policy.Drop);
        WriteTries(mutations, MutationKind.Remove, Policy.Ignore);
    }

    /// <summary>Changes the tables that packets meet before the trie; nothing can refuse here.</summary>
    public void Publish(in EntryMutation mutation)
    {
        ref uint held = ref RuleIn(mutation);
        if (mutation.Refusal is not null)
        {
            if (mutation.Rule != held)
            {
                Release(mutation.Rule);
            }
        }
        else if (mutation.Kind == MutationKind.Remove)
        {
            RemoveFromTables(mutation, ref held);
        }
        else if (_overflowStats.Owns(held))
        {
            _overflowStats.Assign(held, _maps.CounterOf(mutation.Policy, mutation.Counter));
        }
        else if (!mutation.IsWritten)
        {
            bool isNew = held == 0;
            held = isNew ? Settle(mutation) : mutation.Rule;
            PublishToTables(mutation, held, isNew);
        }
    }

    public void Prefetch(Policy policy, Cidr cidr)
    {
        if (cidr.Family == IpFamily.V4)
        {
            _tables4[(int)policy].Prefetch(cidr);
        }
        else
        {
            _tables6[(int)policy].Prefetch(cidr);
        }
    }

    public bool TryReadHits(Policy policy, Cidr cidr, int slot, out EntryHits hits)
    {
        hits = default;
        uint rule = RuleIn(policy, cidr.Family, slot);
        if (!_maps.PerEntryCounters || rule == 0)
        {
            return false;
        }

        ulong hit;
        if (_overflowStats.Owns(rule))
        {
            hit = _overflowStats.ReadHit(rule);
        }
        else if (!TryReadHit(policy, cidr, out hit))
        {
            return false;
        }

        hits = Hit.Decode(hit, _time);
        return true;
    }

    /// <summary>
    /// Reads the next entries of a trie, in the kernel's order. Entries that are added or removed between two calls may be read twice
    /// or not at all.
    /// </summary>
    /// <param name="last">The last key that was read; empty at the start.</param>
    /// <returns>How many were read; 0 after the last.</returns>
    internal int ReadTrie(Policy policy, IpFamily family, ref byte[] last, Span<(Cidr Cidr, uint Value)> entries)
    {
        FileDescriptor trie = _maps.Trie(policy, family);
        Span<byte> key = stackalloc byte[TrieEntry.KeySize(family)];
        Span<byte> value = stackalloc byte[sizeof(uint)];
        int count = 0;
        while (count < entries.Length)
        {
            Errno errno = BpfSyscall.NextKey(trie, last, key);
            if (errno == Errno.ENOENT)
            {
                break;
            }

            Require(errno, "read", policy, family);
            last = last.Length == 0 ? new byte[key.Length] : last;
            key.CopyTo(last);
            if (BpfSyscall.Lookup(trie, key, value) == Errno.None)
            {
                entries[count++] = (TrieEntry.Read(family, key), BinaryPrimitives.ReadUInt32LittleEndian(value));
            }
        }

        return count;
    }

    /// <summary>What the trie should hold for an entry in a slot; 0 if there is none.</summary>
    internal uint Expected(Policy policy, Cidr cidr, int slot)
    {
        uint rule = RuleIn(policy, cidr.Family, slot);
        return rule == 0 ? 0 : TrieEntry.Value(cidr, rule);
    }

    /// <summary>Writes what the trie should hold for an entry. Under the store's lock.</summary>
    /// <returns>Whether it held something else.</returns>
    internal bool Restore(Policy policy, Cidr cidr, int slot)
    {
        Span<byte> key = stackalloc byte[Layout.Key6Size];
        Span<byte> value = stackalloc byte[sizeof(uint)];
        FileDescriptor trie = _maps.Trie(policy, cidr.Family);
        key = key[..TrieEntry.Write(cidr, key)];
        uint expected = Expected(policy, cidr, slot);
        if (expected == 0 || (BpfSyscall.Lookup(trie, key, value) == Errno.None && BinaryPrimitives.ReadUInt32LittleEndian(value) == expected))
        {
            return false;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(value, expected);
        Require(BpfSyscall.Update(trie, key, value), $"restore {cidr} in", policy, cidr.Family);
        return true;
    }

    /// <summary>Removes a key without an entry. Under the store's lock.</summary>
    /// <returns>Whether it was there.</returns>
    internal bool RemoveUnknown(Policy policy, Cidr cidr)
    {
        Span<byte> key = stackalloc byte[Layout.Key6Size];
        Errno errno = BpfSyscall.Delete(_maps.Trie(policy, cidr.Family), key[..TrieEntry.Write(cidr, key)]);
        if (errno != Errno.ENOENT)
        {
            Require(errno, $"remove {cidr} from", policy, cidr.Family);
        }

        return errno == Errno.None;
    }

    /// <summary>A comparison that cannot read or write has no result: that must not look like an agreement.</summary>
    private static void Require(Errno errno, string action, Policy policy, IpFamily family)
    {
        if (errno != Errno.None)
        {
            throw new BpfException($"{action} map \"{PlaneMaps.Names[((int)policy * 2) + (int)family]}\": {errno.Text()}", errno);
        }
    }

    public void Dispose()
    {
        _overflowStats.Dispose();
        _lines.Dispose();
        _maps.Dispose();
    }

    private void WriteTries(Span<EntryMutation> mutations, MutationKind kind, Policy policy)
    {
        WriteTrie(mutations, kind, policy, IpFamily.V4);
        WriteTrie(mutations, kind, policy, IpFamily.V6);
    }

    /// <summary>Writes the mutations with one target in one call if the kernel takes it, otherwise one by one.</summary>
    private void WriteTrie(Span<EntryMutation> mutations, MutationKind kind, Policy policy, IpFamily family)
    {
        Span<byte> chosen = stackalloc byte[ChangeBatch.Capacity];
        int count = 0;
        for (int i = 0; i < mutations.Length; i++)
        {
            ref readonly EntryMutation mutation = ref mutations[i];
            bool isSameTarget = mutation.Kind == kind && mutation.Policy == policy && mutation.Cidr.Family == family;
            if (isSameTarget && !mutation.IsWritten && mutation.Refusal is null)
            {
                chosen[count++] = (byte)i;
            }
        }

        chosen = chosen[..count];
        if (count > 1 && _knowsBatches && TryWriteBatch(mutations, chosen, kind, _maps.Trie(policy, family)))
        {
            return;
        }

        foreach (byte i in chosen)
        {
            ref EntryMutation mutation = ref mutations[i];
            Errno errno = kind == MutationKind.Put ? UpdateTrie(mutation, mutation.Rule) : DeleteFromTrie(mutation);
            if (errno != Errno.None && !(kind == MutationKind.Put && IsInTrie(mutation)))
            {
                mutation.Refusal = Refusal(mutation, errno);
            }
        }
    }

    /// <summary>
    /// False when the kernel did not take all of them: it may know no batches, run out of memory in the middle of one (seen on Linux
    /// 6.18), or miss a key. Then each is written in its own call, which does no harm to those that were.
    /// </summary>
    private bool TryWriteBatch(ReadOnlySpan<EntryMutation> mutations, ReadOnlySpan<byte> chosen, MutationKind kind, FileDescriptor trie)
    {
        int keys = 0;
        for (int i = 0; i < chosen.Length; i++)
        {
            ref readonly EntryMutation mutation = ref mutations[chosen[i]];
            keys += TrieEntry.Write(mutation.Cidr, _keys.AsSpan(keys));
            BinaryPrimitives.WriteUInt32LittleEndian(_values.AsSpan(i * sizeof(uint)), TrieEntry.Value(mutation.Cidr, mutation.Rule));
        }

        Errno errno = kind == MutationKind.Put
            ? BpfSyscall.UpdateBatch(trie, _keys.AsSpan(0, keys), _values, chosen.Length)
            : BpfSyscall.DeleteBatch(trie, _keys.AsSpan(0, keys), chosen.Length);

        // EINVAL below Linux 5.6, and up to 5.12 a number of the kernel's own (ENOTSUPP, 524) for tries.
        _knowsBatches = errno is Errno.None or Errno.ENOENT or Errno.ENOMEM or Errno.ENOSPC or Errno.EPERM;
        return errno == Errno.None;
    }

    private Errno UpdateTrie(in EntryMutation mutation, uint rule)
    {
        Span<byte> key = stackalloc byte[Layout.Key6Size];
        Span<byte> value = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(value, TrieEntry.Value(mutation.Cidr, rule));
        return BpfSyscall.Update(_maps.Trie(mutation.Policy, mutation.Cidr.Family), key[..TrieEntry.Write(mutation.Cidr, key)], value);
    }

    /// <summary>Whether the trie holds a change after all: a batch that ended in the middle has written it.</summary>
    private bool IsInTrie(in EntryMutation mutation)
    {
        Span<byte> key = stackalloc byte[Layout.Key6Size];
        Span<byte> value = stackalloc byte[sizeof(uint)];
        Errno errno = BpfSyscall.Lookup(_maps.Trie(mutation.Policy, mutation.Cidr.Family), key[..TrieEntry.Write(mutation.Cidr, key)], value);
        return errno == Errno.None && BinaryPrimitives.ReadUInt32LittleEndian(value) == TrieEntry.Value(mutation.Cidr, mutation.Rule);
    }

    /// <summary>A key that another process has removed is as absent as it should be.</summary>
    private Errno DeleteFromTrie(in EntryMutation mutation)
    {
        Span<byte> key = stackalloc byte[Layout.Key6Size];
        Errno errno = BpfSyscall.Delete(_maps.Trie(mutation.Policy, mutation.Cidr.Family), key[..TrieEntry.Write(mutation.Cidr, key)]);
        return errno == Errno.ENOENT ? Errno.None : errno;
    }

    /// <summary>Maps what a new rule needs of the tables before anything is changed.</summary>
    private PlaneRefusal? EnsureMapped(in EntryMutation mutation)
    {
        Errno errno = mutation.Cidr.Family == IpFamily.V4
            ? _tables4[(int)mutation.Policy].EnsureMapped(mutation.Cidr)
            : _tables6[(int)mutation.Policy].EnsureMapped(mutation.Cidr);
        return errno == Errno.None ? null : Refusal(mutation, "couic_lines", errno);
    }

    /// <summary>A new rule that was prepared for a free slot, which another rule has taken since, gets a record after all.</summary>
    private uint Settle(in EntryMutation mutation)
    {
        uint rule = mutation.Rule;
        if (_overflowStats.Owns(rule) || HasFreeSlot(mutation.Policy, mutation.Cidr) || !_overflowStats.TryTake((int)rule, out uint record))
        {
            return rule;
        }

        if (UpdateTrie(mutation, record) == Errno.None)
        {
            return record;
        }

        Release(record);
        return rule;
    }

    private void PublishToTables(in EntryMutation mutation, uint rule, bool isNew)
    {
        if (mutation.Cidr.Family == IpFamily.V4)
        {
            _tables4[(int)mutation.Policy].Set(mutation.Cidr, rule, isNew);
        }
        else
        {
            _tables6[(int)mutation.Policy].Set(mutation.Cidr, rule, isNew);
        }
    }

    private void RemoveFromTables(in EntryMutation mutation, ref uint held)
    {
        if (held == 0)
        {
            return;
        }

        if (mutation.Cidr.Family == IpFamily.V4)
        {
            _tables4[(int)mutation.Policy].Remove(mutation.Cidr);
        }
        else
        {
            _tables6[(int)mutation.Policy].Remove(mutation.Cidr);
        }

        Release(held);
        held = 0;
    }

    private bool HasFreeSlot(Policy policy, Cidr cidr) =>
        cidr.Family == IpFamily.V4 ? _tables4[(int)policy].HasFreeSlot(cidr) : _tables6[(int)policy].HasFreeSlot(cidr);

    private bool TryReadHit(Policy policy, Cidr cidr, out ulong hit) =>
        cidr.Family == IpFamily.V4 ? _tables4[(int)policy].TryReadHit(cidr, out hit) : _tables6[(int)policy].TryReadHit(cidr, out hit);

    private void Release(uint rule)
    {
        if (_overflowStats.Owns(rule))
        {
            _overflowStats.Return(rule);
        }
    }

    private ref uint RuleIn(in EntryMutation mutation)
    {
        ref uint[] slots = ref _rules[((int)mutation.Policy * 2) + (int)mutation.Cidr.Family];
        if (mutation.Slot >= slots.Length)
        {
            Array.Resize(ref slots, Math.Max(mutation.Slot + 1, slots.Length * 2));
        }

        return ref slots[mutation.Slot];
    }

    private uint RuleIn(Policy policy, IpFamily family, int slot)
    {
        uint[] slots = _rules[((int)policy * 2) + (int)family];
        return slot < slots.Length ? slots[slot] : 0;
    }

    private static PlaneRefusal Refusal(in EntryMutation mutation, Errno errno) =>
        Refusal(mutation, PlaneMaps.Names[((int)mutation.Policy * 2) + (int)mutation.Cidr.Family], errno);

    private static PlaneRefusal Refusal(in EntryMutation mutation, string table, Errno errno)
    {
        string hint = errno switch
        {
            Errno.ENOMEM => " (the kernel is out of memory)",
            Errno.ENOSPC => " (the kernel's table is full)",
            Errno.EPERM => " (this kernel wants CAP_BPF for changes: Linux 5.19 does not)",
            _ => "",
        };
        string verb = mutation.Kind == MutationKind.Remove ? "remove" : "add";
        return new PlaneRefusal((int)errno, $"{verb} {mutation.Cidr} in map \"{table}\": {errno.Text()}{hint}");
    }
}
