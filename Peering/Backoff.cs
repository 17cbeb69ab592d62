namespace Couic.Peering;

/// <summary>Exponential back-off with jitter, 250 ms to 30 s. Not thread-safe.</summary>
internal sealed class Backoff(Random random)
{
    public static readonly TimeSpan First = TimeSpan.FromMilliseconds(250);
    public static readonly TimeSpan Last = TimeSpan.FromSeconds(30);

    /// <summary>Consecutive failures.</summary>
    public int Failures { get; private set; }

    /// <summary>Counts a failure. Returns the pause before the next attempt: 50 to 100 % of the doubled interval.</summary>
    public TimeSpan Fail()
    {
        double whole = Math.Min(Last.TotalMilliseconds, First.TotalMilliseconds * Math.Pow(2, Math.Min(Failures, 16)));
        Failures++;
        return TimeSpan.FromMilliseconds(Math.Max(First.TotalMilliseconds, whole * (0.5 + (random.NextDouble() / 2))));
    }

    public void Reset() => Failures = 0;
}
