namespace Couic.Daemon;

/// <summary>
/// Bounds the threads of the daemon. Under systemd TasksMax=64 holds: a thread that the kernel refuses to the pool ends the process, as
/// .NET throws where nothing can catch it.
/// </summary>
internal static class ThreadBudget
{
    /// <summary>
    /// Of the pool. Beside them run 7 of ours (main, api, log, expiry, peering, drift, interfaces), 4 of the resolver, and some 8 of .NET (collector,
    /// finalizer, timers, signals, sockets, the pool's own): 35, about half of TasksMax.
    /// </summary>
    public const int MaxPoolThreads = 16;

    /// <summary>Threads of the pool that are there at once. The default is one per processor, which may be more than the bound.</summary>
    private const int MaxReadyThreads = 8;

    public static void Apply()
    {
        int ready = Math.Min(Environment.ProcessorCount, MaxReadyThreads);
        ThreadPool.SetMinThreads(ready, ready);
        ThreadPool.SetMaxThreads(MaxPoolThreads, MaxPoolThreads);
    }
}
