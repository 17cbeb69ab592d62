using Couic.Http.Transport;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// Gives memory back behind a burst. The collector runs when something is allocated: ten thousand connections that are gone, or
/// the list of a full table, would leave what they took where it is.
/// </summary>
internal sealed partial class MemoryTrimmer : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    /// <summary>Growth that is worth a collection, which stops all threads for some milliseconds.</summary>
    private const long WorthBytes = 24 << 20;

    /// <summary>
    /// Growth of the oldest generation that is worth a look at leisure: what the one in front of it may leave there at once. Left alone the
    /// collector waits until it has nearly doubled, so that memory would rise and fall by that.
    /// </summary>
    private const long WorthLookBytes = 4 << 20;

    /// <summary>Fewer connections than there were, by so many, are as well.</summary>
    private const int WorthConnections = 500;

    /// <summary>With more of them open than this, a collection stops the threads for longer, and gives less back: most is in use.</summary>
    private const int ManyConnections = 1_000;

    /// <summary>Growth above what there was at rest that is worth it nevertheless.</summary>
    private const long WorthBurstBytes = 80 << 20;

    private readonly Func<int> _connections;
    private readonly ILogger _log;
    private readonly Timer _timer;
    private long _least = Environment.WorkingSet;
    private long _atRest = Environment.WorkingSet;
    private int _most;

    /// <param name="connections">How many are open now.</param>
    public MemoryTrimmer(Func<int> connections, ILogger log)
    {
        _connections = connections;
        _log = log;
        _timer = new Timer(_ => Look(), null, Period, Period);
    }

    public void Dispose() => _timer.Dispose();

    private void Look()
    {
        long resident = Environment.WorkingSet;
        int open = _connections();
        bool isBurst = open > ManyConnections;
        bool isWorthIt = isBurst
            ? resident >= Math.Max(_least + WorthBytes, _atRest + WorthBurstBytes)
            : resident >= _least + WorthBytes || open <= _most - WorthConnections;
        if (isWorthIt)
        {
            // What is left is moved together, and whole pieces go back to the system.
            Buffers.Trim();
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            _most = open;
            _least = Environment.WorkingSet;
            Trimmed(resident >> 20, _least >> 20, GC.GetGCMemoryInfo(GCKind.FullBlocking).PauseDurations[0].TotalMilliseconds);
        }
        else if (!isBurst)
        {
            CompactAtLeisure();
        }

        _least = Math.Min(_least, resident);
        _most = Math.Max(_most, open);
        if (!isBurst)
        {
            _atRest = isWorthIt ? _least : resident;
        }
    }

    /// <summary>
    /// What nobody uses any more makes room for what comes, so that a steady load stays within the same memory. It is moved together, as
    /// what comes would not fit into the holes; nothing is given back to the system, which would have to be asked for again.
    /// </summary>
    private static void CompactAtLeisure()
    {
        if (OldestGeneration(GCKind.Any) > OldestGeneration(GCKind.FullBlocking) + WorthLookBytes)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: true);
        }
    }

    /// <summary>Bytes in the oldest generation behind the last collection of a kind.</summary>
    private static long OldestGeneration(GCKind kind) => GC.GetGCMemoryInfo(kind).GenerationInfo[GC.MaxGeneration].SizeAfterBytes;

    [LoggerMessage(EventName = "memory_trimmed", Level = LogLevel.Debug, Message = "{Before} MB were resident, {After} MB are; {Milliseconds} ms")]
    private partial void Trimmed(long before, long after, double milliseconds);
}
