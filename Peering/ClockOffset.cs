namespace Couic.Peering;

/// <summary>
/// How far a peer's wall clock is ahead of ours, from the times of greetings as NTP does it (RFC 5905 §8): half a round
/// trip is the error, so of the last eight the shortest counts. Not thread-safe.
/// </summary>
internal sealed class ClockOffset
{
    private readonly (TimeSpan RoundTrip, TimeSpan Offset)[] _samples = new (TimeSpan, TimeSpan)[8];
    private int _count;

    public TimeSpan? Value { get; private set; }

    /// <summary>Whether another greeting or two would tell more: the only round trips so far were long ones.</summary>
    public bool IsPoor => _count < 3 && _samples.Take(_count).All(sample => sample.RoundTrip > TimeSpan.FromMilliseconds(100));

    public void Add(DateTimeOffset ourTime, DateTimeOffset itsTime, TimeSpan roundTrip)
    {
        _samples[_count++ % _samples.Length] = (roundTrip, itsTime - (ourTime - (roundTrip / 2)));
        Value = _samples.Take(_count).MinBy(sample => sample.RoundTrip).Offset;
    }

    public void Reset()
    {
        _count = 0;
        Value = null;
    }
}
