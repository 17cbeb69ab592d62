using Couic.Http;

namespace Couic.Api.Access;

/// <summary>
/// Slows down callers of the network that guess tokens: after some failures in a row their further failures are answered late. A good token
/// is never slowed down, so a caller cannot keep another one with the same address from working. For the event loop's thread.
/// </summary>
internal sealed class FailedTokens(TimeProvider time)
{
    /// <summary>Callers that are remembered.</summary>
    public const int MaxCallers = 4_096;

    /// <summary>Failures in a row that are answered at once.</summary>
    public const int Burst = 10;

    /// <summary>How late later ones are answered.</summary>
    public static readonly TimeSpan Delay = TimeSpan.FromSeconds(1);

    /// <summary>After how long a failure is forgiven.</summary>
    private static readonly TimeSpan Forgiveness = TimeSpan.FromSeconds(6);

    /// <summary>When all failures of a caller will be forgiven, in timestamps.</summary>
    private readonly Dictionary<CallerId, long> _forgivenAt = [];

    public int Count => _forgivenAt.Count;

    /// <summary>Counts a failure. Returns how late it is to be answered.</summary>
    public TimeSpan Add(CallerId caller)
    {
        long now = time.GetTimestamp(), step = Ticks(Forgiveness), most = now + (Burst * step);
        if (!_forgivenAt.TryGetValue(caller, out long forgivenAt) && _forgivenAt.Count >= MaxCallers)
        {
            Evict(now);
        }

        long next = Math.Max(now, forgivenAt) + step;
        _forgivenAt[caller] = Math.Min(next, most);
        return next > most ? Delay : TimeSpan.Zero;
    }

    /// <summary>Evicts the callers whose failures are forgiven; if there is none, an arbitrary one.</summary>
    private void Evict(long now)
    {
        int before = _forgivenAt.Count;
        CallerId any = default;
        foreach ((CallerId caller, long forgivenAt) in _forgivenAt)
        {
            any = caller;
            if (forgivenAt <= now)
            {
                _forgivenAt.Remove(caller);
            }
        }

        if (_forgivenAt.Count == before)
        {
            _forgivenAt.Remove(any);
        }
    }

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * time.TimestampFrequency);
}
