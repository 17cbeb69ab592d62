using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf;

/// <summary>
/// The kernel's tables, kept as the store wants them. Needs no privilege: a process that has only inherited the maps'
/// descriptors changes and reads them.
/// </summary>
public sealed partial class BpfDataPlane : IDataPlane, IDisposable
{
    private readonly PlaneMaps _maps;
    private readonly TimeProvider _time;
    private readonly HitTable? _hits;

    /// <param name="maps">Taken over, and disposed with this.</param>
    /// <param name="time">For when an entry was last hit.</param>
    public BpfDataPlane(PlaneMaps maps, TimeProvider time)
    {
        _maps = maps;
        _time = time;
        _hits = maps.PerEntryCounters ? new HitTable(maps) : null;
    }

    /// <summary>Takes over the maps that another program has made and handed on; see <see cref="PlaneMaps.ToText"/>.</summary>
    /// <exception cref="BpfException">They are not what the text says.</exception>
    public static BpfDataPlane FromDescriptors(string text, TimeProvider time) => new(PlaneMaps.FromText(text), time);

    /// <summary>The sizes that the tables were made for.</summary>
    public StoreLimits Limits => _maps.Limits;

    public int Apply(ReadOnlySpan<RuleChange> changes, out PlaneRefusal? refusal)
    {
        for (int i = 0; i < changes.Length; i++)
        {
            Errno errno = Apply(changes[i]);
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
        hits = _hits is null ? default : _hits.Read(_maps.HitOf(policy, cidr.Family, slot), _time);
        return _hits is not null;
    }

    public void Dispose()
    {
        _hits?.Dispose();
        _maps.Dispose();
    }

    private Errno Apply(in RuleChange change)
    {
        Span<byte> space = stackalloc byte[Layout.Key6Size];
        Span<byte> key = space[..TrieKey.Write(change.Cidr, space)];
        FileDescriptor trie = _maps.Trie(change.Policy, change.Cidr.Family);
        int hit = _maps.HitOf(change.Policy, change.Cidr.Family, change.Slot);
        if (change.Kind == RuleChangeKind.Remove)
        {
            Errno errno = BpfSyscall.Delete(trie, key);
            _hits?.Release(hit);

            // A key that somebody else has removed is as absent as it should be.
            return errno == Errno.ENOENT ? Errno.None : errno;
        }

        _hits?.Acquire(hit);
        Span<byte> value = stackalloc byte[Layout.RuleSize];
        BinaryPrimitives.WriteInt32LittleEndian(value, _maps.CounterOf(change.Policy, change.Counter));
        BinaryPrimitives.WriteInt32LittleEndian(value[4..], hit);
        return BpfSyscall.Update(trie, key, value);
    }

    private static PlaneRefusal Refusal(in RuleChange change, Errno errno)
    {
        string table = PlaneMaps.Names[((int)change.Policy * 2) + (int)change.Cidr.Family];
        string hint = errno == Errno.ENOMEM ? " (the kernel is out of memory)"
            : errno == Errno.ENOSPC ? " (the kernel's table is full)"
            : errno == Errno.EPERM ? " (this kernel wants CAP_BPF for changes: Linux 5.19 does not)"
            : "";
        string verb = change.Kind == RuleChangeKind.Remove ? "remove" : "add";
        return new PlaneRefusal((int)errno, $"{verb} {change.Cidr} in map \"{table}\": {errno.Text()}{hint}");
    }
}
