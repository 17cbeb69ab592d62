namespace Couic.Tests.Peering.Simulator;

/// <summary>One node's clocks: the monotonic one is the world's, the wall clock is off by a constant until it is stepped.</summary>
internal sealed class SimClock(SimWorld world, TimeSpan skew) : TimeProvider
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private TimeSpan _skew = skew;

    public override long TimestampFrequency => 1_000_000_000;

    public override long GetTimestamp() => world.Now;

    public override DateTimeOffset GetUtcNow()
    {
        TimeSpan since = _skew + TimeSpan.FromTicks(world.Now / 100);
        return since > DateTimeOffset.MaxValue - Start ? DateTimeOffset.MaxValue
            : since < DateTimeOffset.UnixEpoch - Start ? DateTimeOffset.UnixEpoch
            : Start + since;
    }

    /// <summary>Sets the wall clock, as an operator or NTP would.</summary>
    public void Step(TimeSpan by) => _skew += by;
}
