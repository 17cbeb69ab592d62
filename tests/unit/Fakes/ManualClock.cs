namespace Couic.Tests.Fakes;

/// <summary>
/// A clock that stands still until a test moves it. Wall clock and monotonic clock move together by
/// <see cref="Advance"/>; <see cref="StepWallClock"/> moves the wall clock alone, as an operator or NTP would.
/// </summary>
public sealed class ManualClock : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];
    private DateTimeOffset _utc;
    private long _ticks = 5_000_000_000;

    /// <param name="utc">The first time of day; null for noon of a day in 2026.</param>
    public ManualClock(DateTime? utc = null) => _utc = new(utc ?? new DateTime(2026, 3, 1, 12, 0, 0, DateTimeKind.Utc));

    /// <summary>Nanoseconds, as CLOCK_MONOTONIC has on Linux.</summary>
    public override long TimestampFrequency => 1_000_000_000;

    /// <summary>The time zone of the machine.</summary>
    public TimeZoneInfo Zone { get; init; } = TimeZoneInfo.Utc;

    public override TimeZoneInfo LocalTimeZone => Zone;

    /// <summary>Seconds since 1970 by the wall clock.</summary>
    public ulong Seconds => (ulong)GetUtcNow().ToUnixTimeSeconds();

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate)
        {
            return _utc;
        }
    }

    public override long GetTimestamp()
    {
        lock (_gate)
        {
            return _ticks;
        }
    }

    public void StepWallClock(TimeSpan by)
    {
        lock (_gate)
        {
            _utc += by;
        }
    }

    public void AdvanceSeconds(double seconds) => Advance(TimeSpan.FromSeconds(seconds));

    /// <summary>Lets time pass; timers that fall due run on the calling thread, in order, at their own time.</summary>
    public void Advance(TimeSpan by)
    {
        long end = GetTimestamp() + (by.Ticks * 100);
        while (true)
        {
            ManualTimer? due;
            lock (_gate)
            {
                due = _timers.Where(t => t.Due <= end).MinBy(t => t.Due);
                MoveTo(due is null ? end : Math.Max(due.Due, _ticks));
                due?.Rearm();
            }

            if (due is null)
            {
                return;
            }

            due.Fire();
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    private void MoveTo(long ticks)
    {
        _utc += TimeSpan.FromTicks((ticks - _ticks) / 100);
        _ticks = ticks;
    }

    private sealed class ManualTimer(ManualClock clock, TimerCallback callback, object? state) : ITimer
    {
        private TimeSpan _period;

        public long Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._gate)
            {
                clock._timers.Remove(this);
                _period = period;
                if (dueTime >= TimeSpan.Zero)
                {
                    Due = clock._ticks + (dueTime.Ticks * 100);
                    clock._timers.Add(this);
                }
            }

            return true;
        }

        /// <summary>Under the clock's lock: sets the next time, or takes a one-shot timer off.</summary>
        public void Rearm()
        {
            Due += _period.Ticks * 100;
            if (_period <= TimeSpan.Zero)
            {
                clock._timers.Remove(this);
            }
        }

        public void Fire() => callback(state);

        public void Dispose()
        {
            lock (clock._gate)
            {
                clock._timers.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
