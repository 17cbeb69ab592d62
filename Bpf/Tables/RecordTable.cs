using System.Runtime.InteropServices;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>
/// What the program counts for a rule, and under which counter. The first records belong to the counters, for rules without one
/// of their own: all rules where per-entry counters are off, and those beyond <see cref="Capacity"/>.
/// </summary>
internal sealed class RecordTable : IDisposable
{
    private readonly MappedMemory _memory;
    private readonly StoreLimits _limits;
    private readonly int _shared;
    private readonly bool _perEntry;

    /// <exception cref="BpfException">The map cannot be mapped.</exception>
    public RecordTable(PlaneMaps maps)
    {
        _limits = maps.Limits;
        _perEntry = maps.PerEntryCounters;
        _shared = maps.CounterCount;
        _memory = PlaneMaps.Map(maps.Records, (long)Count(_limits, _perEntry) * Layout.RecordSize);
        for (int i = 0; i < _shared; i++)
        {
            _memory.As<Record>()[i].Counter = i;
        }
    }

    /// <summary>Records of a data plane.</summary>
    public static int Count(StoreLimits limits, bool perEntry)
    {
        int shared = Layout.CounterTags + (2 * limits.Counters);
        return perEntry ? shared + (2 * (Capacity(limits.MaxDropEntries) + Capacity(limits.MaxIgnoreEntries))) : shared;
    }

    /// <summary>The rule for an entry: the index of its record.</summary>
    public uint RuleOf(Policy policy, IpFamily family, int slot, int counter) =>
        (uint)(HasOwn(policy, slot) ? First(policy, family) + slot : counter);

    /// <summary>Whether an entry in that slot is counted by itself.</summary>
    public bool HasOwn(Policy policy, int slot) => _perEntry && slot < Capacity(_limits.Entries(policy));

    /// <summary>Makes a rule count under a counter; its own count starts at zero if it is new.</summary>
    public void Assign(uint rule, int counter, bool isNew)
    {
        if (rule < _shared)
        {
            return;
        }

        ref Record record = ref _memory.As<Record>()[(int)rule];
        if (isNew)
        {
            record.Packets = 0;
            record.Last = 0;
        }

        Volatile.Write(ref record.Counter, counter);
    }

    public EntryHits Read(uint rule, TimeProvider time)
    {
        Record record = _memory.As<Record>()[(int)rule];
        if (record.Last == 0)
        {
            return new EntryHits(record.Packets, null);
        }

        // The kernel's monotonic clock is the one behind GetTimestamp, so the difference is how long ago it was.
        long now = (long)((Int128)time.GetTimestamp() * 1_000_000_000 / time.TimestampFrequency);
        long ago = Math.Max(0, now - ((long)record.Last << Layout.TickShift));
        return new EntryHits(record.Packets, time.GetUtcNow() - TimeSpan.FromTicks(ago / 100));
    }

    public void Dispose() => _memory.Dispose();

    /// <summary>
    /// Half more than the limit: what a set swap adds before it removes is seldom more, and the memory is taken at once. An
    /// entry beyond it is counted by its tag alone.
    /// </summary>
    private static int Capacity(int entries) => entries + (entries / 2);

    private int First(Policy policy, IpFamily family)
    {
        int before = policy == Policy.Drop ? 0 : 2 * Capacity(_limits.MaxDropEntries);
        return _shared + before + ((int)family * Capacity(_limits.Entries(policy)));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Record
    {
        public ulong Packets;
        public uint Last;
        public int Counter;
    }
}
