namespace Couic.Http;

/// <summary>Answers by status since the start. Thread-safe.</summary>
internal sealed class StatusCounters
{
    private const int First = 100, Count600 = 500;

    private readonly long[] _counts = new long[Count600];

    public void Count(int status) => Interlocked.Increment(ref _counts[status - First]);

    /// <summary>The statuses that were sent at least once, in order.</summary>
    public IEnumerable<(int Status, long Answers)> Read()
    {
        for (int i = 0; i < _counts.Length; i++)
        {
            long count = Interlocked.Read(ref _counts[i]);
            if (count > 0)
            {
                yield return (First + i, count);
            }
        }
    }
}
