namespace Couic.Store;

/// <summary>Successive changes that go to the data plane together.</summary>
internal sealed class Stretch
{
    private readonly PlannedChange[] _planned = new PlannedChange[RuleStore.MaxTogether];
    private int _plannedCount;

    /// <summary>Which of all changes it begins with.</summary>
    public int First { get; private set; }

    /// <summary>Changes that were decided, whether the data plane has a share in them or not.</summary>
    public int Count { get; set; }

    /// <summary>What is for the data plane.</summary>
    public Span<PlannedChange> Planned => _planned.AsSpan(0, _plannedCount);

    public void Begin(int first)
    {
        First = first;
        Clear();
    }

    /// <summary>The place of one more for the data plane, which counts once it is kept.</summary>
    public ref PlannedChange Next => ref _planned[_plannedCount];

    public void Keep() => _plannedCount++;

    public void Clear()
    {
        Count = 0;
        _plannedCount = 0;
    }
}
