namespace Couic.IntegrationTests.Harness;

/// <summary>
/// Keeps the thread on the CPU that it is on: each CPU has its own backlog, and packets sent from two of them overtake
/// each other when the machine is busy.
/// </summary>
internal readonly ref struct OneCpu
{
    private readonly ulong _before;

    public OneCpu()
    {
        // On a machine with more CPUs than this mask has bits the call fails, and the thread moves as it likes.
        if (Libc.sched_getaffinity(0, sizeof(ulong), out _before) >= 0)
        {
            ulong here = 1UL << Libc.sched_getcpu();
            _ = Libc.sched_setaffinity(0, sizeof(ulong), in here);
        }
        else
        {
            _before = 0;
        }
    }

    public void Dispose()
    {
        if (_before != 0)
        {
            _ = Libc.sched_setaffinity(0, sizeof(ulong), in _before);
        }
    }
}
