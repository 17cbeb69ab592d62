using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf;

public sealed partial class BpfDataPlane
{
    private const int XdpDrop = 1;
    private const int XdpPass = 2;

    /// <summary>Each packet is counted once, under what decided it; actions are sums over those counters.</summary>
    public void ReadActions(Span<Counter> actions)
    {
        actions.Clear();
        int drops = _maps.CounterOf(Policy.Drop, 0);
        int passes = _maps.CounterOf(Policy.Ignore, 0);
        Counter[] counters = ArrayPool<Counter>.Shared.Rent(_maps.CounterOf(Policy.Ignore, Limits.Counters));
        Span<Counter> all = counters.AsSpan(0, _maps.CounterOf(Policy.Ignore, Limits.Counters));
        ReadCounters(0, all);
        actions[XdpDrop] = Sum(all[drops..passes]);
        actions[XdpPass] = Sum(all[..drops], Sum(all[passes..]));
        ArrayPool<Counter>.Shared.Return(counters);
    }

    /// <summary>Packets and bytes of frames that were too short for what they announce; they passed to the kernel.</summary>
    public Counter ReadMalformed()
    {
        Span<Counter> counter = stackalloc Counter[1];
        ReadCounters(Layout.CounterMalformed, counter);
        return counter[0];
    }

    public void ReadTags(Policy policy, Span<Counter> counters) => ReadCounters(_maps.CounterOf(policy, 0), counters);

    public IReadOnlyList<MapMemory> ReadMemory()
    {
        var memory = new List<MapMemory>();
        for (int i = 0; i < _maps.All.Count; i++)
        {
            _ = BpfSyscall.MapInfo(_maps.All[i], out MapDescription map);
            memory.Add(new MapMemory(PlaneMaps.Names[i], TypeName(map.Type), map.MaxEntries, LockedMemory(_maps.All[i])));
        }

        return memory;
    }

    private static Counter Sum(ReadOnlySpan<Counter> counters, Counter sum = default)
    {
        foreach (Counter counter in counters)
        {
            sum = new Counter(sum.Packets + counter.Packets, sum.Bytes + counter.Bytes);
        }

        return sum;
    }

    /// <summary>Reads counters from an index on, summed over CPUs. What cannot be read stays zero.</summary>
    private void ReadCounters(int first, Span<Counter> counters)
    {
        counters.Clear();
        ulong[] element = ArrayPool<ulong>.Shared.Rent(2 * _maps.Cpus);
        Span<byte> value = MemoryMarshal.AsBytes(element.AsSpan(0, 2 * _maps.Cpus));
        value.Clear();
        Span<byte> key = stackalloc byte[4];
        for (int i = 0; i < counters.Length; i++)
        {
            MemoryMarshal.Write(key, first + i);
            if (BpfSyscall.Lookup(_maps.Counters, key, value) == Errno.None)
            {
                counters[i] = Sum(MemoryMarshal.Cast<byte, Counter>(value));
            }
        }

        ArrayPool<ulong>.Shared.Return(element);
    }

    private static string TypeName(uint type) => type switch
    {
        BpfSyscall.BPF_MAP_TYPE_ARRAY => "array",
        BpfSyscall.BPF_MAP_TYPE_PERCPU_ARRAY => "percpu_array",
        BpfSyscall.BPF_MAP_TYPE_LPM_TRIE => "lpm_trie",
        _ => type.ToString(CultureInfo.InvariantCulture),
    };

    private static long LockedMemory(FileDescriptor map)
    {
        const string Field = "memlock:";
        foreach (string line in File.ReadLines($"/proc/self/fdinfo/{map.Number}"))
        {
            if (line.StartsWith(Field, StringComparison.Ordinal)
                && long.TryParse(line.AsSpan(Field.Length).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out long bytes))
            {
                return bytes;
            }
        }

        return 0;
    }
}
