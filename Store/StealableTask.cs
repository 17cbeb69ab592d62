namespace Couic.Store;

/// <summary>
/// A task that a pool thread may pick up; its owner runs it inline if none has, so the owner never waits for a free thread. Queued and
/// awaited by one thread; it must not throw.
/// </summary>
internal sealed class StealableTask(Action work) : IThreadPoolWorkItem
{
    /// <summary>Some ten microseconds: most tasks have ended by then, and a sleep with its wake-up takes as long.</summary>
    private const int Spins = 20;

    private readonly object _ended = new();
    private int _isQueued;
    private bool _isDone = true;

    public void Queue()
    {
        _isDone = false;
        Volatile.Write(ref _isQueued, 1);
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Returns when the task that was queued last has ended.</summary>
    public void RunOrWait()
    {
        TryRun();
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

    void IThreadPoolWorkItem.Execute() => TryRun();

    /// <summary>A work item may run late; then it runs a task that was queued after it, or nothing.</summary>
    private void TryRun()
    {
        if (Interlocked.Exchange(ref _isQueued, 0) == 1)
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
