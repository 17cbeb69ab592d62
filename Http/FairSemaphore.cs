namespace Couic.Http;

/// <summary>
/// What a request does away from the event loop. A few requests of each class run at a time: the event loop, whose clients wait for a
/// hundred times less, needs a processor too, and a burst of one class must not delay the others.
/// </summary>
internal enum WorkClass
{
    /// <summary>Computes for milliseconds: statistics, status, a page of a list.</summary>
    Short,

    /// <summary>Computes for as long as its list or its body is.</summary>
    Long,

    /// <summary>Waits, for the disk or for a lock that is held for long, more than it computes.</summary>
    Blocking,
}

/// <summary>A semaphore with one FIFO queue per client, served round-robin, so that a long queue delays no other. Thread-safe.</summary>
internal sealed class FairSemaphore(int count)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Queue<TaskCompletionSource<bool>>> _queues = [];
    private readonly Queue<string> _next = new();
    private int _left = count;

    public bool HasWaiters
    {
        get
        {
            lock (_gate)
            {
                return _next.Count > 0;
            }
        }
    }

    /// <summary>
    /// Enters at once (null), or queues a waiter for the client. Its result is true once the semaphore is entered. A client that gives up
    /// sets it to false, and has nothing to release then.
    /// </summary>
    public TaskCompletionSource<bool>? Enter(string client)
    {
        lock (_gate)
        {
            if (_left > 0)
            {
                _left--;
                return null;
            }

            if (!_queues.TryGetValue(client, out Queue<TaskCompletionSource<bool>>? queue))
            {
                _queues.Add(client, queue = new Queue<TaskCompletionSource<bool>>());
                _next.Enqueue(client);
            }

            var waiter = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            queue.Enqueue(waiter);
            return waiter;
        }
    }

    public void Release()
    {
        lock (_gate)
        {
            while (_next.TryDequeue(out string? client))
            {
                Queue<TaskCompletionSource<bool>> queue = _queues[client];
                bool hasEntered = queue.Dequeue().TrySetResult(true);
                if (queue.Count > 0)
                {
                    _next.Enqueue(client);
                }
                else
                {
                    _queues.Remove(client);
                }

                if (hasEntered)
                {
                    return;
                }
            }

            _left++;
        }
    }
}
