namespace Couic.Reporting;

/// <summary>Waiting times after failures: doubling from the first to the last, each a quarter more or less by chance.</summary>
internal sealed class Backoff(TimeSpan first, TimeSpan last, Random random)
{
    private TimeSpan _next;

    public void Reset() => _next = TimeSpan.Zero;

    public TimeSpan Next()
    {
        _next = _next < first ? first : _next;
        TimeSpan wait = _next * (0.75 + (random.NextDouble() / 2));
        _next = _next * 2 < last ? _next * 2 : last;
        return wait < last ? wait : last;
    }
}
