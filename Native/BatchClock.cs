namespace Couic.Native;

/// <summary>
/// The machine's clock. A thread may freeze its time of day while it makes a batch of changes: they get one timestamp, and the clock is
/// read once. Monotonic timestamps are never frozen. Thread-safe.
/// </summary>
internal sealed class BatchClock : TimeProvider
{
    /// <summary>Of the thread, in units of 100 ns since year 1; 0 when it is not frozen.</summary>
    [ThreadStatic]
    private static long _frozen;

    private BatchClock()
    {
    }

    public static BatchClock Instance { get; } = new();

    public override DateTimeOffset GetUtcNow()
    {
        long frozen = _frozen;
        return frozen == 0 ? System.GetUtcNow() : new DateTimeOffset(frozen, TimeSpan.Zero);
    }

    /// <summary>Freezes the time of day for this thread until the scope is disposed. Scopes last less than a millisecond and do not nest.</summary>
    public static FrozenScope Freeze()
    {
        _frozen = System.GetUtcNow().UtcTicks;
        return default;
    }

    public readonly ref struct FrozenScope
    {
#pragma warning disable CA1822 // the state is the thread's
        public void Dispose() => _frozen = 0;
#pragma warning restore CA1822
    }
}
