namespace Couic.Peering;

/// <summary>
/// A hybrid logical clock: it follows the wall clock and the stamps of others, so a change that was made in knowledge of
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

    /// <summary>A stamp further ahead of the own wall clock than this is refused: some clock is wrong.</summary>
    public static readonly TimeSpan MaxDrift = TimeSpan.FromHours(24);

    /// <summary>
    /// The lead is smaller than the drift, so that the next stamp is acceptable to every peer whose clock is up to
    /// twelve hours behind.
    /// </summary>
    public static readonly TimeSpan MaxLead = TimeSpan.FromHours(12);

    /// <summary>Room for the counter and for small steps of the wall clock; beyond it the clock is led astray.</summary>
    private static readonly TimeSpan Slack = TimeSpan.FromMinutes(1);

    private ulong _last;

    /// <summary>How often the clock went back because the wall clock had.</summary>
    public int Resets { get; private set; }

    /// <summary>The greatest time that <see cref="Next"/> can come to by the stamps of others.</summary>
    public ulong LeadLimit => Wall + Units(MaxLead);

    private ulong Wall => (ulong)Math.Max(0, time.GetUtcNow().ToUnixTimeMilliseconds()) << 16;

    /// <summary>The time of a change that is made now.</summary>
    public ulong Next()
    {
        FollowBack();
        _last = Math.Max(Wall, _last + 1);
        return _last;
    }

    /// <summary>Whether a stamp is close enough to the own wall clock, or behind it.</summary>
    public bool Accepts(ulong seen) => seen <= Wall + Units(MaxDrift);

    /// <summary>By how much a stamp is ahead of the own wall clock; not negative.</summary>
    public TimeSpan LeadOf(ulong seen) => TimeSpan.FromMilliseconds((seen - Math.Min(seen, Wall)) >> 16);

    /// <summary>Takes note of the stamp of another node. One that is not accepted has no effect.</summary>
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
