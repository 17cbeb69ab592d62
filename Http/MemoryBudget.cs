namespace Couic.Http;

/// <summary>
/// The memory of connections that wait: in the middle of a request, in a queue, or for a slow reader. Over budget the event loop evicts the
/// longest-waiting ones; beyond 125 % a reservation fails. Thread-safe.
/// </summary>
/// <param name="wake">Wakes the event loop.</param>
internal sealed class MemoryBudget(int limit, Action wake)
{
    /// <summary>Idle connections that keep their buffers: 20 KiB each, outside the budget.</summary>
    public const int MaxRetained = 64;

    private long _reserved;
    private int _retained;
    private bool _isOver;

    public int Limit => limit;

    /// <summary>What has to be freed until a tenth of the budget is free.</summary>
    public long Excess => Volatile.Read(ref _reserved) - (limit / 10 * 9L);

    /// <summary>Whether less than half is taken.</summary>
    public bool IsHalfFree => Volatile.Read(ref _reserved) < limit / 2;

    /// <summary>Idle connections that keep their buffers.</summary>
    public int Retained => Volatile.Read(ref _retained);

    public bool TryReserve(int bytes)
    {
        long reserved = Interlocked.Add(ref _reserved, bytes);
        if (reserved <= limit)
        {
            return true;
        }

        if (!Interlocked.Exchange(ref _isOver, true))
        {
            wake();
        }

        if (reserved <= limit + (limit / 4))
        {
            return true;
        }

        Release(bytes);
        return false;
    }

    public void Release(int bytes) => Interlocked.Add(ref _reserved, -bytes);

    /// <summary>Whether it has been exceeded since the last call.</summary>
    public bool TakeOver() => Volatile.Read(ref _isOver) && Interlocked.Exchange(ref _isOver, false);

    /// <summary>Lets one more idle connection keep its buffers until <see cref="EndRetention"/>. For the event loop's thread.</summary>
    public bool TryRetain()
    {
        if (_retained >= MaxRetained)
        {
            return false;
        }

        Volatile.Write(ref _retained, _retained + 1);
        return true;
    }

    public void EndRetention() => Volatile.Write(ref _retained, _retained - 1);
}
