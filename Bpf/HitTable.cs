using System.Runtime.InteropServices;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf;

/// <summary>What the program counts per entry, read and cleared without system calls. Written under the store's lock, read at any time.</summary>
internal sealed class HitTable : IDisposable
{
    private readonly MappedMemory _memory;
    private readonly bool[] _used;

    /// <exception cref="BpfException">The map cannot be mapped.</exception>
    public HitTable(PlaneMaps maps)
    {
        int count = maps.HitOf(Policy.Ignore, IpFamily.V6, maps.Limits.MaxIgnoreEntries * Layout.Headroom);
        Errno errno = MappedMemory.TryMap(maps.Hits, (long)count * Layout.HitSize, out MappedMemory? memory);
        _memory = memory ?? throw new BpfException($"map the counters of entries into memory: {errno.Text()}", errno);
        _used = new bool[count];
    }

    /// <summary>An entry takes a place: its count starts at zero. One that has it already keeps its count.</summary>
    public void Acquire(int index)
    {
        if (!_used[index])
        {
            _used[index] = true;
            Hits[index] = default;
        }
    }

    public void Release(int index) => _used[index] = false;

    public EntryHits Read(int index, TimeProvider time)
    {
        Hit hit = Hits[index];
        if (hit.Last == 0)
        {
            return new EntryHits(hit.Packets, null);
        }

        // The kernel's monotonic clock is the one behind GetTimestamp, so the difference is how long ago it was.
        long now = (long)((Int128)time.GetTimestamp() * 1_000_000_000 / time.TimestampFrequency);
        long ago = Math.Max(0, now - (long)hit.Last);
        return new EntryHits(hit.Packets, time.GetUtcNow() - TimeSpan.FromTicks(ago / 100));
    }

    public void Dispose() => _memory.Dispose();

    private Span<Hit> Hits => _memory.As<Hit>();

    [StructLayout(LayoutKind.Sequential)]
    private struct Hit
    {
        public ulong Packets;
        public ulong Last;
    }
}
