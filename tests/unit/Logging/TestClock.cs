namespace Couic.Tests.Logging;

/// <summary>A clock that stands until it is moved.</summary>
internal sealed class TestClock(DateTime utc) : TimeProvider
{
    private long _ticks = utc.Ticks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public void Move(TimeSpan by) => Interlocked.Add(ref _ticks, by.Ticks);
}
