namespace Couic.Peering;

/// <summary>
/// Decides which tombstones can be dropped: it counts rounds in which every peer has compared its rules with this node.
/// <para>
/// A stale value can reach a peer that has compared but not seen the tombstone. The peer it came from then learns of the
/// tombstone, so after as many rounds as peers none can hold the value. A value in flight belongs to no peer: a round begins
/// only after the time limit of requests from before the last one. Three more rounds cover a proxy that repeats requests.
/// Not thread-safe.
/// </para>
/// </summary>
/// <param name="gap">Time between two rounds, in units of the timestamps: the time limit of a request.</param>
internal sealed class StabilityTracker(long gap)
{
    /// <summary>Rounds for requests sent before the first one ended: three time limits of a request.</summary>
    public const int OnTheWay = 3;

    private readonly Queue<long> _starts = new();
    private long _current = long.MinValue;

    /// <summary>No node holds or sends a value older than the tombstones from before this timestamp.</summary>
    public long StableBefore { get; private set; } = long.MinValue;

    /// <param name="now">Monotonic timestamp.</param>
    /// <param name="comparedAt">The earliest of the times at which the peers last compared.</param>
    /// <param name="peers">Number of peers that compare.</param>
    public void Update(long now, long comparedAt, int peers)
    {
        if (_current == long.MinValue)
        {
            _current = now;
        }
        else if (now > _current && comparedAt > _current)
        {
            _starts.Enqueue(_current);
            _current = now + gap;
            while (_starts.Count > OnTheWay + peers)
            {
                StableBefore = _starts.Dequeue();
            }
        }
    }
}
