namespace Couic.Store;

/// <summary>
/// What the counters of a policy had counted when their number went from one tag to another: that belongs to tags that were evicted,
/// and is shown for all of them together. Not thread-safe.
/// </summary>
internal sealed class TagTotals(int counters)
{
    private readonly Counter[] _past = new Counter[counters];

    /// <summary>Packets and bytes of all tags that were evicted.</summary>
    public Counter Evicted { get; private set; }

    /// <summary>What a counter had counted before its present tag had it.</summary>
    public Counter Past(int counter) => _past[counter];

    /// <summary>A counter's tag is evicted.</summary>
    public void Evict(int counter, Counter counted)
    {
        Evicted += counted - _past[counter];
        _past[counter] = counted;
    }
}
