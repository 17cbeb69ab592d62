namespace Couic.Peering;

/// <summary>
/// A hybrid logical clock: follows the wall clock, never goes back, and is always ahead of every stamp that was seen. A
/// change that was made in knowledge of another one is therefore stamped later, whatever the wall clocks say. Not
/// thread-safe.
/// </summary>
internal sealed class HybridClock(TimeProvider time)
{
    /// <summary>
    /// The greatest time that is taken from others (the year 4199). It leaves room for as many changes as anybody can make,
    /// so a node that talks nonsense cannot bring this clock to its end.
    /// </summary>
    public const ulong MaxTime = 1UL << 62;

    private ulong _last;

    /// <summary>The time of a change that is made now.</summary>
    public ulong Next()
    {
        ulong wall = (ulong)Math.Max(0, time.GetUtcNow().ToUnixTimeMilliseconds()) << 16;
        _last = Math.Max(wall, _last + 1);
        return _last;
    }

    /// <summary>Takes note of a stamp of somebody else, at most <see cref="MaxTime"/>.</summary>
    public void Observe(ulong seen) => _last = Math.Max(_last, Math.Min(seen, MaxTime));
}
