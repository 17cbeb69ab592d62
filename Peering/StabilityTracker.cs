namespace Couic.Peering;

/// <summary>
/// Counts the rounds in which every peer has compared its rules with ours, to say which dead records nobody can miss.
/// <para>
/// An older word that still lives somewhere can slip to a peer that has compared already and knows of no removal; but each
/// peer it leaves that way learns of the removal, so it runs out of peers after as many rounds as there are. A word that is
/// on its way meanwhile belongs to no peer: so a round begins only when the answers from before the last one have come or
/// never will, and the requests of the first, which a proxy may repeat, have three rounds to arrive. Not thread-safe.
/// </para>
/// </summary>
/// <param name="gap">Between two rounds, in the unit of the timestamps: the limit of a request.</param>
internal sealed class StabilityTracker(long gap)
{
    /// <summary>StabilityTracker for what was sent before the first one ended: three limits of a request.</summary>
    public const int OnTheWay = 3;

    private readonly Queue<long> _starts = new();
    private long _current = long.MinValue;

    /// <summary>Nobody holds or sends an older word than those of records that died before this moment.</summary>
    public long StableBefore { get; private set; } = long.MinValue;

    /// <param name="now">Monotonic timestamp.</param>
    /// <param name="comparedAt">When the peer that is behind most last compared.</param>
    /// <param name="peers">How many peers there are that compare.</param>
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
