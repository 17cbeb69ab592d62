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

    /// <summary>Counters that are read in one system call.</summary>
    private const int CounterBatch = 512;

    /// <summary>Each packet is counted once, under what decided it; actions are sums over those counters.</summary>
    public void ReadActions(Span<Counter> actions)
    {
        actions.Clear();
        int drops = _maps.CounterOf(Policy.Drop, 0);
        int passes = _maps.CounterOf(Policy.Ignore, 0);
        Counter[] counters = ArrayPool<Counter>.Shared.Rent(_maps.CounterOf(Policy.Ignore, Limits.Counters));
        Span<Counter> all = counters.AsSpan(0, _maps.CounterOf(Policy.Ignore, Limits.Counters));
        ReadCounters(0, all);
        Counter tooManyTags = all[Layout.CounterTooManyTags];
        actions[XdpDrop] = Sum(all[drops..passes], tooManyTags);
        all[Layout.CounterTooManyTags] = default;
        actions[XdpPass] = Sum(all[..drops], Sum(all[passes..]));
        ArrayPool<Counter>.Shared.Return(counters);
    }

    /// <summary>Packets and bytes of frames that were too short for what their headers say; they passed to the kernel.</summary>
    public Counter ReadMalformed() => ReadCounter(Layout.CounterMalformed);

    /// <summary>Packets and bytes of frames that were dropped because they have more VLAN tags than the program parses.</summary>
    public Counter ReadTooManyTags() => ReadCounter(Layout.CounterTooManyTags);

    public void ReadTags(Policy policy, Span<Counter> counters) => ReadCounters(_maps.CounterOf(policy, 0), counters);

    public Counter ReadTag(Policy policy, int counter)
    {
        Span<Counter> one = stackalloc Counter[1];
        ReadCounters(_maps.CounterOf(policy, counter), one);
        return one[0];
    }

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

    private Counter ReadCounter(int index)
    {
        Span<Counter> counter = stackalloc Counter[1];
        ReadCounters(index, counter);
        return counter[0];
    }

    private static Counter Sum(ReadOnlySpan<Counter> counters, Counter sum = default)
    {
        foreach (Counter counter in counters)
        {
            sum += counter;
        }

        return sum;
    }

    /// <summary>Reads counters from an index on, summed over CPUs. What cannot be read stays zero.</summary>
    private void ReadCounters(int first, Span<Counter> counters)
    {
        counters.Clear();
        int cpus = _maps.Cpus;
        Counter[] elements = ArrayPool<Counter>.Shared.Rent(CounterBatch * cpus);
        Span<byte> values = MemoryMarshal.AsBytes(elements.AsSpan(0, CounterBatch * cpus));
        Span<byte> keys = stackalloc byte[CounterBatch * sizeof(int)];
        Span<byte> cursor = stackalloc byte[sizeof(int)];
        for (int i = 0; i < counters.Length;)
        {
            // A batch begins after its cursor. Kernels before 5.13 have no batches for this kind of map and are asked for each element.
            uint count = (uint)Math.Min(CounterBatch, counters.Length - i);
            MemoryMarshal.Write(cursor, first + i - 1);
            _ = BpfSyscall.LookupBatch(_maps.Counters, first + i == 0, cursor, keys, values, ref count);
            if (count == 0)
            {
                MemoryMarshal.Write(cursor, first + i);
                count = 1;
                if (BpfSyscall.Lookup(_maps.Counters, cursor, values) != Errno.None)
                {
                    values[..(cpus * Layout.CounterSize)].Clear();
                }
            }

            for (int read = 0; read < count; read++, i++)
            {
                counters[i] = Sum(elements.AsSpan(read * cpus, cpus));
            }
        }

        ArrayPool<Counter>.Shared.Return(elements);
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
