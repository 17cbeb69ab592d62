namespace Couic.Peering;

/// <summary>
/// A hybrid logical clock: it follows the wall clock and the versions of others, so a change that was made in knowledge of
/// another one is stamped later, whatever the wall clocks say. Others can lead it ahead of the own wall clock by
/// <see cref="MaxLead"/> at most. It goes back only after the wall clock was set back by more than that. Not thread-safe.
/// </summary>
internal sealed class HybridClock(TimeProvider time)
{
    /// <summary>
    /// No message holds a greater time. It lies beyond the year 9999, where the wall clock ends, so no clock comes to it:
    /// whether a time that is well-formed is accepted is decided by <see cref="MaxDrift"/>.
    /// </summary>
    public const ulong MaxTime = 0xf000_0000_0000_0000;

    /// <summary>A version further ahead of the own wall clock than this is refused: some clock is wrong.</summary>
    public static readonly TimeSpan MaxDrift = TimeSpan.FromHours(24);

    /// <summary>
    /// The lead is smaller than the drift, so that the next version is acceptable to every peer whose clock is up to
    /// twelve hours behind.
    /// </summary>
    public static readonly TimeSpan MaxLead = TimeSpan.FromHours(12);

    /// <summary>Room for the counter and for small steps of the wall clock; beyond it the clock is led astray.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromMinutes(1);

    private ulong _last;

    /// <summary>How often the clock went back because the wall clock had.</summary>
    public int Resets { get; private set; }

    /// <summary>The greatest time that <see cref="Next"/> can come to by the versions of others.</summary>
    public ulong LeadLimit => Wall + Units(MaxLead);

    private ulong Wall => (ulong)Math.Max(0, time.GetUtcNow().ToUnixTimeMilliseconds()) << 16;

    /// <summary>The time of a change that is made now.</summary>
    public ulong Next()
    {
        FollowBack();
        _last = Math.Max(Wall, _last + 1);
        return _last;
    }

    /// <summary>Whether a version is close enough to the own wall clock, or behind it.</summary>
    public bool Accepts(ulong seen) => seen <= Wall + Units(MaxDrift);

    /// <summary>By how much a version is ahead of the own wall clock; not negative.</summary>
    public TimeSpan LeadOf(ulong seen) => TimeSpan.FromMilliseconds((seen - Math.Min(seen, Wall)) >> 16);

    /// <summary>Takes note of the version of another node. One that is not accepted has no effect.</summary>
    public void Observe(ulong seen)
    {
        if (Accepts(seen))
        {
            _last = Math.Max(_last, Math.Min(seen, LeadLimit));
        }
    }

    /// <summary>Gives up a time that peers with sane clocks would refuse: the wall clock was wrong and has been set back.</summary>
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
/// How far a peer's wall clock is ahead of ours, from the times of greetings as NTP does it (RFC 5905 §8): half a round
/// trip is the error, so of the last eight the shortest counts. A sample that contradicts it by more than the error shows
/// that a clock was set; the samples before are void then. Not thread-safe.
/// </summary>
internal sealed class ClockOffset
{
    /// <summary>What the clocks may drift apart between two samples.</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(1);

    private readonly (TimeSpan RoundTrip, TimeSpan Offset)[] _samples = new (TimeSpan, TimeSpan)[8];
    private int _count;

    public TimeSpan? Value { get; private set; }

    /// <summary>Whether another greeting or two would tell more: the only round trips so far were long ones.</summary>
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
