using System.Threading.Tasks.Sources;

namespace Couic.Http.Transport;

/// <summary>
/// One waiter for one kind of event, as the event loop sees it: an event before the wait is kept, the waiter goes on inside
/// <see cref="Signal"/> on the thread that calls it. Allocates nothing.
/// </summary>
internal sealed class Gate : IValueTaskSource
{
    private const int Closed = 0, Open = 1, Awaited = 2;

    private ManualResetValueTaskSourceCore<bool> _core;
    private int _state;

    /// <summary>Waits for the next event. One waiter at a time.</summary>
    public ValueTask WaitAsync()
    {
        _core.Reset();
        if (Interlocked.CompareExchange(ref _state, Awaited, Closed) == Closed)
        {
            return new ValueTask(this, _core.Version);
        }

        Volatile.Write(ref _state, Closed);
        return ValueTask.CompletedTask;
    }

    public void Signal()
    {
        while (true)
        {
            switch (Volatile.Read(ref _state))
            {
                case Open:
                    return;
                case Closed when Interlocked.CompareExchange(ref _state, Open, Closed) == Closed:
                    return;
                case Awaited when Interlocked.CompareExchange(ref _state, Closed, Awaited) == Awaited:
                    _core.SetResult(true);
                    return;
            }
        }
    }

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags & ~ValueTaskSourceOnCompletedFlags.FlowExecutionContext);
}
