namespace Couic.Store;

/// <summary>
/// Something to do that another thread may begin meanwhile. Whoever needs it done does it himself if nobody has, so that no wait depends
/// on a free thread. Offered and completed by one thread; it must not throw.
/// </summary>
internal sealed class Errand(Action work) : IThreadPoolWorkItem
{
    /// <summary>Some ten microseconds: most are done by then, and to sleep and be woken takes as long.</summary>
    private const int Spins = 20;

    private readonly object _ended = new();
    private int _isOffered;
    private bool _isDone = true;

    public void Offer()
    {
        _isDone = false;
        Volatile.Write(ref _isOffered, 1);
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Returns when what was offered last is done.</summary>
    public void Complete()
    {
        TryDo();
        var spin = new SpinWait();
        while (!Volatile.Read(ref _isDone) && spin.Count < Spins)
        {
            spin.SpinOnce(sleep1Threshold: -1);
        }

        if (Volatile.Read(ref _isDone))
        {
            return;
        }

        lock (_ended)
        {
            while (!_isDone)
            {
                Monitor.Wait(_ended);
            }
        }
    }

    void IThreadPoolWorkItem.Execute() => TryDo();

    /// <summary>What was queued may come late; then it does what was offered after it, or nothing.</summary>
    private void TryDo()
    {
        if (Interlocked.Exchange(ref _isOffered, 0) == 1)
        {
            work();
            lock (_ended)
            {
                Volatile.Write(ref _isDone, true);
                Monitor.Pulse(_ended);
            }
        }
    }
}
