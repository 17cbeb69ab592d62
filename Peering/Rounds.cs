namespace Couic.Peering;

/// <summary>
/// Counts the rounds in which every peer has compared its rules with ours. An older word on a CIDR that still lives
/// somewhere can slip to a peer that has compared already and knows of no removal; but each peer it leaves that way learns
/// of the removal, so it runs out of peers after as many rounds as there are. Not thread-safe.
/// </summary>
internal sealed class Rounds
{
    private readonly Queue<long> _starts = new();
    private long _current = long.MinValue;

    /// <summary>Everything before this moment was compared in full by every peer, as often as there are peers.</summary>
    public long SafeBefore { get; private set; } = long.MinValue;

    /// <param name="now">Monotonic timestamp.</param>
    /// <param name="comparedAt">When the peer that is behind most last compared.</param>
    /// <param name="peers">How many peers there are that compare.</param>
    public void Update(long now, long comparedAt, int peers)
    {
        if (_current == long.MinValue)
        {
            _current = now;
        }
        else if (comparedAt > _current)
        {
            _starts.Enqueue(_current);
            _current = now;
            while (_starts.Count >= Math.Max(1, peers))
            {
                SafeBefore = _starts.Dequeue();
            }
        }
    }
}
