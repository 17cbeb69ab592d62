using System.Runtime.InteropServices;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>
/// Records of entries that found no place beside which they could be counted. Written under the
/// store's lock, read at any time.
/// </summary>
internal sealed class RecordTable : IDisposable
{
    private readonly MappedMemory _memory;
    private readonly uint _firstRule;
    private readonly uint _capacity;
    private readonly Stack<uint> _free = [];
    private uint _used;

    /// <exception cref="BpfException">The map cannot be mapped.</exception>
    public RecordTable(PlaneMaps maps)
    {
        _firstRule = (uint)maps.CounterCount;
        _capacity = maps.PerEntryCounters ? Capacity(maps.Limits) : 0;
        _memory = PlaneMaps.Map(maps.Records, (long)Count(maps.Limits, maps.PerEntryCounters) * Layout.RecordSize);
    }

    /// <summary>Elements of couic_records.</summary>
    public static uint Count(StoreLimits limits, bool perEntry) => perEntry ? Capacity(limits) : 1;

    /// <summary>Whether a rule is a record, and not a counter.</summary>
    public bool IsRecord(uint rule) => rule >= _firstRule;

    /// <summary>Takes a record that counts under a counter. Without one, an entry is counted by its tag alone.</summary>
    public bool TryTake(int counter, out uint rule)
    {
        rule = 0;
        if (!_free.TryPop(out uint index))
        {
            if (_used == _capacity || _memory.EnsureMapped((long)_used * Layout.RecordSize, Layout.RecordSize) != Errno.None)
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

    /// <summary>Makes a record count under another counter.</summary>
    public void Assign(uint rule, int counter) => Volatile.Write(ref this[rule].Counter, counter);

    public ulong ReadHit(uint rule) => Volatile.Read(ref this[rule].Hit);

    public void Dispose() => _memory.Dispose();

    /// <summary>A quarter of all entries: few find no place, but a set swap holds old and new ones together.</summary>
    private static uint Capacity(StoreLimits limits) => (uint)(limits.MaxDropEntries + limits.MaxIgnoreEntries) / 2;

    /// <summary>A record that is taken.</summary>
    private ref Record this[uint rule] => ref _memory.As<Record>()[(int)(rule - _firstRule)];

    [StructLayout(LayoutKind.Sequential)]
    private struct Record
    {
        public ulong Hit;
        public int Counter;
        private readonly uint _unused;
    }
}
