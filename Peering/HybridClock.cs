namespace Couic.Peering;

/// <summary>
/// A hybrid logical clock (Kulkarni et al. 2014): it follows the wall clock and the versions of other nodes, so a change made
/// with knowledge of another one gets a later version. Other nodes can push it ahead of the local wall clock by at most <see
/// cref="MaxLead"/>. It goes back only after the wall clock was set back by more than that. Not thread-safe.
/// </summary>
internal sealed class HybridClock(TimeProvider time)
{
    /// <summary>
    /// No message may hold a greater time. It lies after the year 9999, so no wall clock reaches it. <see cref="MaxDrift"/>
    /// decides whether a smaller time is accepted.
    /// </summary>
    public const ulong MaxTime = 0xf000_0000_0000_0000;

    /// <summary>A version further ahead of the local wall clock is refused: one of the clocks is wrong.</summary>
    public static readonly TimeSpan MaxDrift = TimeSpan.FromHours(24);

    /// <summary>
    /// The lead is smaller than the drift, so that every peer whose clock is up to twelve hours slow accepts the next version.
    /// </summary>
    public static readonly TimeSpan MaxLead = TimeSpan.FromHours(12);

    /// <summary>Tolerance for the counter and for small steps of the wall clock.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromMinutes(1);

    private ulong _last;

    /// <summary>How often the clock has followed a wall clock that was set back.</summary>
    public int Resets { get; private set; }

    /// <summary>The greatest time that the versions of other nodes can lead <see cref="Next"/> to.</summary>
    public ulong LeadLimit => Wall + Units(MaxLead);

    private ulong Wall => (ulong)Math.Max(0, time.GetUtcNow().ToUnixTimeMilliseconds()) << 16;

    /// <summary>The time of a change made now.</summary>
    public ulong Next()
    {
        FollowBack();
        _last = Math.Max(Wall, _last + 1);
        return _last;
    }

    /// <summary>Whether a version is at most <see cref="MaxDrift"/> ahead of the local wall clock.</summary>
    public bool Accepts(ulong seen) => seen <= Wall + Units(MaxDrift);

    /// <summary>How far a version is ahead of the local wall clock; not negative.</summary>
    public TimeSpan LeadOf(ulong seen) => TimeSpan.FromMilliseconds((seen - Math.Min(seen, Wall)) >> 16);

    /// <summary>Follows the version of another node; ignores one that is not accepted.</summary>
    public void Observe(ulong seen)
    {
        if (Accepts(seen))
        {
            _last = Math.Max(_last, Math.Min(seen, LeadLimit));
        }
    }

    /// <summary>
    /// Drops a time that peers with correct clocks would refuse: the local wall clock was wrong and has been set back.
    /// </summary>
    public void FollowBack()
    {
        if (_last > Wall + Units(MaxLead + Slack))
        {
            _last = Wall;
            Resets++;
        }
    }

    private static ulong Units(TimeSpan span) => (ulong)span.TotalMilliseconds << 16;
}

/// <summary>
/// How far a peer's wall clock is ahead of the local one, estimated from hellos as NTP does it (RFC 5905 §8). The error is half
/// the round trip, so the sample with the shortest round trip of the last eight counts. A sample outside the error shows that a
/// clock was set, and voids the earlier samples. Not thread-safe.
/// </summary>
internal sealed class ClockOffset
{
    /// <summary>How far the clocks may drift apart between two samples.</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(1);

    private readonly (TimeSpan RoundTrip, TimeSpan Offset)[] _samples = new (TimeSpan, TimeSpan)[8];
    private int _count;

    public TimeSpan? Value { get; private set; }

    /// <summary>Whether more samples are needed: all round trips so far were long.</summary>
    public bool IsPoor => _count < 3 && _samples.Take(_count).All(sample => sample.RoundTrip > TimeSpan.FromMilliseconds(100));

    public void Add(DateTimeOffset ourTime, DateTimeOffset itsTime, TimeSpan roundTrip)
    {
        TimeSpan offset = itsTime - ourTime + (roundTrip / 2);
        if (Value is { } known && (offset - known).Duration() > roundTrip + Tolerance + _samples.Take(_count).Min(sample => sample.RoundTrip))
        {
            _count = 0;
        }

        _samples[_count++ % _samples.Length] = (roundTrip, offset);
        Value = _samples.Take(_count).MinBy(sample => sample.RoundTrip).Offset;
    }

    public void Reset()
    {
        _count = 0;
        Value = null;
    }
}
