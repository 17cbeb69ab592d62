using System.Runtime.CompilerServices;

namespace Couic.Http;

/// <summary>
/// One waiter for one kind of event, as the event loop sees it: an event before the wait is kept, the waiter goes on inside
/// <see cref="Signal"/> on the thread that calls it. Allocates nothing.
/// </summary>
internal sealed class Gate
{
    private const int Closed = 0, Open = 1, Awaited = 2;

    private Action? _waiter;
    private int _state;

    public bool IsOpen => Volatile.Read(ref _state) == Open;

    /// <summary>Waits for the next event. One waiter at a time.</summary>
    public Waiting WaitAsync() => new(this);

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
                    _waiter!();
                    return;
            }
        }
    }

    /// <summary>To be awaited at once, and once.</summary>
    public readonly struct Waiting(Gate gate) : ICriticalNotifyCompletion
    {
        public bool IsCompleted => gate.IsOpen && gate.TakeEvent();

        public Waiting GetAwaiter() => this;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

        public void UnsafeOnCompleted(Action continuation)
        {
            gate._waiter = continuation;
            if (Interlocked.CompareExchange(ref gate._state, Awaited, Closed) == Open)
            {
                gate.TakeEvent(); // it came meanwhile
                continuation();
            }
        }
    }

    private bool TakeEvent()
    {
        Volatile.Write(ref _state, Closed); // nobody else takes it, and another one changes nothing
        return true;
    }
}
