using System.Buffers.Binary;
using Couic.Bpf.Tables;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf;

/// <summary>
/// The kernel's tables, kept as the store wants them. Needs no privilege: a process that has only inherited the maps'
/// descriptors changes and reads them. A process has one of these for its maps, from when they are empty.
/// </summary>
public sealed partial class BpfDataPlane : IDataPlane, IDisposable
{
    private readonly PlaneMaps _maps;
    private readonly TimeProvider _time;
    private readonly MappedMemory _lines;
    private readonly RecordTable _records;
    private readonly Tables4[] _tables4 = new Tables4[2];
    private readonly Tables6[] _tables6 = new Tables6[2];

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
        _records = new RecordTable(maps);
        _lines = PlaneMaps.Map(maps.Lines, (long)layout.Lines * Layout.LineSize);
        foreach (Policy policy in Policies.All)
        {
            _tables4[(int)policy] = new Tables4(_lines, policy, layout.V4(policy));
            _tables6[(int)policy] = new Tables6(_lines, policy, layout.V6(policy));
        }
    }

    /// <summary>The sizes that the tables were made for.</summary>
    public StoreLimits Limits => _maps.Limits;

    /// <summary>Takes over the maps that another program has made and handed on; see <see cref="PlaneMaps.ToText"/>.</summary>
    /// <exception cref="BpfException">They are not what the text says.</exception>
    public static BpfDataPlane FromDescriptors(string text, TimeProvider time) => new(PlaneMaps.FromText(text), time);

    public int Apply(ReadOnlySpan<RuleChange> changes, out PlaneRefusal? refusal)
    {
        int done = 0;
        while (done < changes.Length)
        {
            int alike = CountAlike(changes[done..]);
            if (TryApplyTogether(changes.Slice(done, alike)))
            {
                done += alike;
                continue;
            }

            for (int end = done + alike; done < end; done++)
            {
                refusal = changes[done].Kind == RuleChangeKind.Set ? Set(changes[done]) : Remove(changes[done]);
                if (refusal is not null)
                {
                    Forget(changes[done..end]);
                    return done;
                }
            }
        }

        refusal = null;
        return done;
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
        if (_records.IsRecord(rule))
        {
            hit = _records.ReadHit(rule);
        }
        else if (!TryReadHit(policy, cidr, out hit))
        {
            return false;
        }

        hits = Hit.Decode(hit, _time);
        return true;
    }

    public void Dispose()
    {
        _records.Dispose();
        _lines.Dispose();
        _maps.Dispose();
    }

    /// <summary>The trie first, which can refuse as mapping the other tables can; then these, which are nearer to the packet.</summary>
    private PlaneRefusal? Set(in RuleChange change)
    {
        ref uint held = ref RuleIn(change);
        int counter = _maps.CounterOf(change.Policy, change.Counter);
        if (_records.IsRecord(held))
        {
            // The rule stays the same, and only what it counts under changes.
            _records.Assign(held, counter);
            return null;
        }

        bool isNew = held == 0;
        if (isNew && Reach(change) is { } refusal)
        {
            return refusal;
        }

        uint rule = (uint)counter;
        if (isNew && !HasRoom(change.Policy, change.Cidr) && _records.TryTake(counter, out uint record))
        {
            rule = record;
        }

        Errno errno = WriteTrie(change.Policy, change.Cidr, rule);
        if (errno != Errno.None)
        {
            Release(rule);
            return Refusal(change, errno);
        }

        held = rule;
        SetInTables(change, rule, isNew);
        return null;
    }

    /// <summary>Maps what a new rule needs of the tables before anything is changed.</summary>
    private PlaneRefusal? Reach(in RuleChange change)
    {
        Errno errno = change.Cidr.Family == IpFamily.V4
            ? _tables4[(int)change.Policy].TryReach(change.Cidr)
            : _tables6[(int)change.Policy].TryReach(change.Cidr);
        return errno == Errno.None ? null : Refusal(change, "couic_lines", errno);
    }

    private void SetInTables(in RuleChange change, uint rule, bool isNew)
    {
        if (change.Cidr.Family == IpFamily.V4)
        {
            _tables4[(int)change.Policy].Set(change.Cidr, rule, isNew);
        }
        else
        {
            _tables6[(int)change.Policy].Set(change.Cidr, rule, isNew);
        }
    }

    private PlaneRefusal? Remove(in RuleChange change)
    {
        Errno errno = DeleteFromTrie(change);
        if (errno != Errno.None)
        {
            return Refusal(change, errno);
        }

        RemoveFromTables(change);
        return null;
    }

    /// <summary>A key that somebody else has removed is as absent as it should be.</summary>
    private Errno DeleteFromTrie(in RuleChange change)
    {
        Span<byte> key = stackalloc byte[Layout.Key6Size];
        Errno errno = BpfSyscall.Delete(_maps.Trie(change.Policy, change.Cidr.Family), key[..TrieEntry.Write(change.Cidr, key)]);
        return errno == Errno.ENOENT ? Errno.None : errno;
    }

    private void RemoveFromTables(in RuleChange change)
    {
        ref uint held = ref RuleIn(change);
        if (held == 0)
        {
            return;
        }

        if (change.Cidr.Family == IpFamily.V4)
        {
            _tables4[(int)change.Policy].Remove(change.Cidr);
        }
        else
        {
            _tables6[(int)change.Policy].Remove(change.Cidr);
        }

        Release(held);
        held = 0;
    }

    private bool HasRoom(Policy policy, Cidr cidr) =>
        cidr.Family == IpFamily.V4 ? _tables4[(int)policy].HasRoom(cidr) : _tables6[(int)policy].HasRoom(cidr);

    private bool TryReadHit(Policy policy, Cidr cidr, out ulong hit) =>
        cidr.Family == IpFamily.V4 ? _tables4[(int)policy].TryReadHit(cidr, out hit) : _tables6[(int)policy].TryReadHit(cidr, out hit);

    private void Release(uint rule)
    {
        if (_records.IsRecord(rule))
        {
            _records.Return(rule);
        }
    }

    private Errno WriteTrie(Policy policy, Cidr cidr, uint rule)
    {
        Span<byte> key = stackalloc byte[Layout.Key6Size];
        Span<byte> value = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(value, TrieEntry.Value(cidr, rule));
        return BpfSyscall.Update(_maps.Trie(policy, cidr.Family), key[..TrieEntry.Write(cidr, key)], value);
    }

    private ref uint RuleIn(in RuleChange change)
    {
        ref uint[] slots = ref _rules[((int)change.Policy * 2) + (int)change.Cidr.Family];
        if (change.Slot >= slots.Length)
        {
            Array.Resize(ref slots, Math.Max(change.Slot + 1, slots.Length * 2));
        }

        return ref slots[change.Slot];
    }

    private uint RuleIn(Policy policy, IpFamily family, int slot)
    {
        uint[] slots = _rules[((int)policy * 2) + (int)family];
        return slot < slots.Length ? slots[slot] : 0;
    }

    private static PlaneRefusal Refusal(in RuleChange change, Errno errno) =>
        Refusal(change, PlaneMaps.Names[((int)change.Policy * 2) + (int)change.Cidr.Family], errno);

    private static PlaneRefusal Refusal(in RuleChange change, string table, Errno errno)
    {
        string hint = errno switch
        {
            Errno.ENOMEM => " (the kernel is out of memory)",
            Errno.ENOSPC => " (the kernel's table is full)",
            Errno.EPERM => " (this kernel wants CAP_BPF for changes: Linux 5.19 does not)",
            _ => "",
        };
        string verb = change.Kind == RuleChangeKind.Remove ? "remove" : "add";
        return new PlaneRefusal((int)errno, $"{verb} {change.Cidr} in map \"{table}\": {errno.Text()}{hint}");
    }
}
