namespace Couic.Names;

/// <summary>Exponential back-off with jitter. Not thread-safe.</summary>
public sealed class Backoff(TimeSpan first, TimeSpan last, Random random)
{
    /// <summary>Failures in a row.</summary>
    public int Failures { get; private set; }

    /// <summary>Counts a failure. Returns how long to wait: between half and the whole of the doubled time, and at least the first.</summary>
    public TimeSpan Next()
    {
        double whole = Math.Min(last.TotalMilliseconds, first.TotalMilliseconds * Math.Pow(2, Math.Min(Failures, 16)));
        Failures++;
        return TimeSpan.FromMilliseconds(Math.Max(first.TotalMilliseconds, whole * (0.5 + (random.NextDouble() / 2))));
    }

    public void Reset() => Failures = 0;
}
