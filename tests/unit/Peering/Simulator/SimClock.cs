namespace Couic.Tests.Peering.Simulator;

/// <summary>One node's clocks: the monotonic one is the world's, the wall clock is off by a constant.</summary>
internal sealed class SimClock(SimWorld world, TimeSpan skew) : TimeProvider
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => 1_000_000_000;

    public override long GetTimestamp() => world.Now;

    public override DateTimeOffset GetUtcNow() => Start + skew + TimeSpan.FromTicks(world.Now / 100);
}
