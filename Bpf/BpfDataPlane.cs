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

    /// <summary>Slots that hold a rule, by policy and family: a change to one of those is a replacement.</summary>
    private readonly bool[][] _held = [[], [], [], []];

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
            _tables4[(int)policy] = new Tables4(_lines, layout.V4(policy), (address, length) => Covering(policy, address, length));
            _tables6[(int)policy] = new Tables6(_lines, layout.V6(policy));
        }
    }

    /// <summary>The sizes that the tables were made for.</summary>
    public StoreLimits Limits => _maps.Limits;

    /// <summary>Takes over the maps that another program has made and handed on; see <see cref="PlaneMaps.ToText"/>.</summary>
    /// <exception cref="BpfException">They are not what the text says.</exception>
    public static BpfDataPlane FromDescriptors(string text, TimeProvider time) => new(PlaneMaps.FromText(text), time);

    public int Apply(ReadOnlySpan<RuleChange> changes, out PlaneRefusal? refusal)
    {
        for (int i = 0; i < changes.Length; i++)
        {
            Errno errno = changes[i].Kind == RuleChangeKind.Set ? Set(changes[i]) : Remove(changes[i]);
            if (errno != Errno.None)
            {
                refusal = Refusal(changes[i], errno);
                return i;
            }
        }

        refusal = null;
        return changes.Length;
    }

    public bool TryReadHits(Policy policy, Cidr cidr, int slot, out EntryHits hits)
    {
        bool counted = _records.HasOwn(policy, slot);
        hits = counted ? _records.Read(_records.RuleOf(policy, cidr.Family, slot, 0), _time) : default;
        return counted;
    }

    public void Dispose()
    {
        _records.Dispose();
        _lines.Dispose();
        _maps.Dispose();
    }

    /// <summary>The trie first, which alone can refuse; then the tables that are nearer to the packet.</summary>
    private Errno Set(in RuleChange change)
    {
        ref bool held = ref Held(change);
        int counter = _maps.CounterOf(change.Policy, change.Counter);
        uint rule = _records.RuleOf(change.Policy, change.Cidr.Family, change.Slot, counter);
        bool isNew = !held;
        if (!isNew && _records.HasOwn(change.Policy, change.Slot))
        {
            // The rule stays the same, and only what it counts under changes.
            _records.Assign(rule, counter, isNew);
            return Errno.None;
        }

        _records.Assign(rule, counter, isNew);
        Errno errno = WriteTrie(change.Policy, change.Cidr, rule);
        if (errno != Errno.None)
        {
            return errno;
        }

        held = true;
        if (change.Cidr.Family == IpFamily.V4)
        {
            _tables4[(int)change.Policy].Set(change.Cidr, rule, isNew);
        }
        else
        {
            _tables6[(int)change.Policy].Set(change.Cidr, rule, isNew);
        }

        return Errno.None;
    }

    private Errno Remove(in RuleChange change)
    {
        Span<byte> key = stackalloc byte[Layout.Key6Size];
        Errno errno = BpfSyscall.Delete(_maps.Trie(change.Policy, change.Cidr.Family), key[..TrieKey.Write(change.Cidr, key)]);

        // A key that somebody else has removed is as absent as it should be.
        if (errno != Errno.None && errno != Errno.ENOENT)
        {
            return errno;
        }

        ref bool held = ref Held(change);
        if (!held)
        {
            return Errno.None;
        }

        held = false;
        if (change.Cidr.Family == IpFamily.V4)
        {
            _tables4[(int)change.Policy].Remove(change.Cidr);
        }
        else
        {
            _tables6[(int)change.Policy].Remove(change.Cidr);
        }

        return Errno.None;
    }

    private Errno WriteTrie(Policy policy, Cidr cidr, uint rule)
    {
        Span<byte> key = stackalloc byte[Layout.Key6Size];
        Span<byte> value = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(value, cidr.Family == IpFamily.V4 ? Prefixes4.Encode(rule, cidr.Length) : rule);
        return BpfSyscall.Update(_maps.Trie(policy, cidr.Family), key[..TrieKey.Write(cidr, key)], value);
    }

    /// <summary>The longest prefix up to a length that covers an address, as a node of the tree; 0 for none.</summary>
    private uint Covering(Policy policy, uint address, int length)
    {
        Span<byte> key = stackalloc byte[Layout.Key4Size];
        Span<byte> value = stackalloc byte[sizeof(uint)];
        TrieKey.Write(Cidr.FromV4(address, length), key);
        return BpfSyscall.Lookup(_maps.Trie(policy, IpFamily.V4), key, value) == Errno.None ? BinaryPrimitives.ReadUInt32LittleEndian(value) : 0;
    }

    private ref bool Held(in RuleChange change)
    {
        ref bool[] slots = ref _held[((int)change.Policy * 2) + (int)change.Cidr.Family];
        if (change.Slot >= slots.Length)
        {
            Array.Resize(ref slots, Math.Max(change.Slot + 1, slots.Length * 2));
        }

        return ref slots[change.Slot];
    }

    private static PlaneRefusal Refusal(in RuleChange change, Errno errno)
    {
        string table = PlaneMaps.Names[((int)change.Policy * 2) + (int)change.Cidr.Family];
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
