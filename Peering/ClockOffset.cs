namespace Couic.Peering;

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
