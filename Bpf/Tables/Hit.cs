using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>What couic.h packs into one word: packets, and when the last one came.</summary>
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

        // The kernel's monotonic clock is the one behind GetTimestamp, so the difference is how long ago it was.
        ulong now = (ulong)((Int128)time.GetTimestamp() * 1_000_000_000 / time.TimestampFrequency) >> Layout.TickShift;
        ulong ticksAgo = (now - (hit >> Layout.HitShift)) & Ticks;
        return new EntryHits(hit & Packets, time.GetUtcNow() - TimeSpan.FromTicks((long)(ticksAgo << Layout.TickShift) / TimeSpan.NanosecondsPerTick));
    }
}
