using System.Runtime.CompilerServices;

namespace Couic.Http;

/// <summary>
/// An auto-reset event for one waiter: an event before the wait is kept, and the waiter continues inside <see cref="Signal"/>, on the thread
/// that calls it. Allocates nothing.
/// </summary>
internal sealed class SingleWaiterEvent
{
    private const int Unset = 0, Set = 1, Awaited = 2;

    private Action? _waiter;
    private int _state;

    public bool IsSet => Volatile.Read(ref _state) == Set;

    /// <summary>Waits for the next event. One waiter at a time.</summary>
    public Waiting WaitAsync() => new(this);

    /// <summary>Takes an event that nothing has waited for.</summary>
    public bool TryReset()
    {
        if (!IsSet)
        {
            return false;
        }

        Volatile.Write(ref _state, Unset); // there is one waiter, and another signal changes nothing
        return true;
    }

    public void Signal()
    {
        while (true)
        {
            switch (Volatile.Read(ref _state))
            {
                case Set:
                    return;
                case Unset when Interlocked.CompareExchange(ref _state, Set, Unset) == Unset:
                    return;
                case Awaited when Interlocked.CompareExchange(ref _state, Unset, Awaited) == Awaited:
                    _waiter!();
                    return;
            }
        }
    }

    /// <summary>To be awaited at once, and once.</summary>
    public readonly struct Waiting(SingleWaiterEvent signal) : ICriticalNotifyCompletion
    {
        public bool IsCompleted => signal.TryReset();

        public Waiting GetAwaiter() => this;

        public void GetResult()
        {
        }

        public void OnCompleted(Action continuation) => UnsafeOnCompleted(continuation);

        public void UnsafeOnCompleted(Action continuation)
        {
            signal._waiter = continuation;
            if (Interlocked.CompareExchange(ref signal._state, Awaited, Unset) == Set)
            {
                signal.TryReset();
                continuation();
            }
        }
    }
}
