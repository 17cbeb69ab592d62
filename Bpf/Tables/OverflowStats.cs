using System.Runtime.InteropServices;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>
/// Hits of rules that have no slot in a bucket. Written under the store's lock, read at any time.
/// </summary>
internal sealed class OverflowStats : IDisposable
{
    private readonly MappedMemory _memory;
    private readonly uint _firstRule;
    private readonly uint _capacity;
    private readonly Stack<uint> _free = [];
    private uint _used;

    /// <exception cref="BpfException">The map cannot be mapped.</exception>
    public OverflowStats(PlaneMaps maps)
    {
        _firstRule = (uint)maps.CounterCount;
        _capacity = maps.PerEntryCounters ? Capacity(maps.Limits) : 0;
        _memory = PlaneMaps.Map(maps.Records, (long)Count(maps.Limits, maps.PerEntryCounters) * Layout.OverflowStatsSize);
    }

    /// <summary>Elements of couic_records.</summary>
    public static uint Count(StoreLimits limits, bool perEntry) => perEntry ? Capacity(limits) : 1;

    /// <summary>Whether a rule is an index into couic_records, not into couic_counters.</summary>
    public bool Owns(uint rule) => rule >= _firstRule;

    /// <summary>Takes a record for a counter. Without one, an entry is counted by its tag alone.</summary>
    public bool TryTake(int counter, out uint rule)
    {
        rule = 0;
        if (!_free.TryPop(out uint index))
        {
            if (_used == _capacity || _memory.EnsureMapped((long)_used * Layout.OverflowStatsSize, Layout.OverflowStatsSize) != Errno.None)
            {
                return false;
            }

            index = _used++;
        }

        rule = _firstRule + index;
        this[rule] = new Record { Counter = counter };
        return true;
    }

    public void Return(uint rule) => _free.Push(rule - _firstRule);

    /// <summary>Gives a record another counter.</summary>
    public void Assign(uint rule, int counter) => Volatile.Write(ref this[rule].Counter, counter);

    public ulong ReadHit(uint rule) => Volatile.Read(ref this[rule].Hit);

    public void Dispose() => _memory.Dispose();

    /// <summary>A quarter of all entries: few overflow, but a replacement of sets holds old and new ones at the same time.</summary>
    private static uint Capacity(StoreLimits limits) => (uint)(limits.MaxDropEntries + limits.MaxIgnoreEntries) / 2;

    /// <summary>A record in use.</summary>
    private ref Record this[uint rule] => ref _memory.As<Record>()[(int)(rule - _firstRule)];

    [StructLayout(LayoutKind.Sequential)]
    private struct Record
    {
        public ulong Hit;
        public int Counter;
        private readonly uint _unused;
    }
}

/// <summary>The word of couic.h that holds a number of packets and the time of the last one.</summary>
internal static class Hit
{
    private const ulong Packets = (1ul << Layout.HitShift) - 1;
    private const ulong Ticks = ulong.MaxValue >> Layout.HitShift;

    public static EntryHits Decode(ulong hit, TimeProvider time)
    {
        if (hit == 0)
        {
            return default;
        }

        // GetTimestamp reads the kernel's monotonic clock, so the difference is the age of the hit.
        ulong now = (ulong)((Int128)time.GetTimestamp() * 1_000_000_000 / time.TimestampFrequency) >> Layout.TickShift;
        ulong ticksAgo = (now - (hit >> Layout.HitShift)) & Ticks;
        return new EntryHits(hit & Packets, time.GetUtcNow() - TimeSpan.FromTicks((long)(ticksAgo << Layout.TickShift) / TimeSpan.NanosecondsPerTick));
    }
}
