namespace Couic.Native;

/// <summary>
/// The machine's clock, of which a thread may keep the time of day while it makes many things together: they happen at the same moment,
/// and the clock is read once for all of them. Timestamps go on. Thread-safe.
/// </summary>
internal sealed class MomentClock : TimeProvider
{
    /// <summary>Of the thread, in units of 100 ns since year 1; 0 when time goes on.</summary>
    [ThreadStatic]
    private static long _kept;

    private MomentClock()
    {
    }

    public static MomentClock Instance { get; } = new();

    public override DateTimeOffset GetUtcNow()
    {
        long kept = _kept;
        return kept == 0 ? System.GetUtcNow() : new DateTimeOffset(kept, TimeSpan.Zero);
    }

    /// <summary>Time stands still for this thread until the moment is disposed. To be held for less than a millisecond, and not twice.</summary>
    public static Moment Keep()
    {
        _kept = System.GetUtcNow().UtcTicks;
        return default;
    }

    public readonly ref struct Moment
    {
#pragma warning disable CA1822 // there is one of the thread
        public void Dispose() => _kept = 0;
#pragma warning restore CA1822
    }
}
