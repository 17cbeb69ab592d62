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

    /// <summary>With more of them open than this, a collection moves nothing: that would stop the threads for longer.</summary>
    private const int ManyConnections = 1_000;

    /// <summary>Growth that is worth that nevertheless: what is not moved together is not given back either.</summary>
    private const long WorthMovingBytes = 96 << 20;

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
        if (resident < _least + WorthBytes && open > _most - WorthConnections)
        {
            _least = Math.Min(_least, resident);
            _most = Math.Max(_most, open);
            _atRest = open > ManyConnections ? _atRest : resident;
            LookAtLeisure(open);
            return;
        }

        Buffers.Trim();
        if (open > ManyConnections && resident < _atRest + WorthMovingBytes)
        {
            Sweep();
        }
        else
        {
            // What is left is moved together, and whole pieces go back to the system.
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        }

        _least = Environment.WorkingSet;
        _atRest = open > ManyConnections ? _atRest : _least;
        _most = open;
        Trimmed(resident >> 20, _least >> 20, GC.GetGCMemoryInfo(GCKind.FullBlocking).PauseDurations[0].TotalMilliseconds);
    }

    /// <summary>What nobody uses any more makes room for what comes, so that a steady load stays within the same memory.</summary>
    private static void LookAtLeisure(int open)
    {
        if (open <= ManyConnections && OldestGeneration(GCKind.Any) > OldestGeneration(GCKind.FullBlocking) + WorthLookBytes)
        {
            Sweep();
        }
    }

    /// <summary>Bytes in the oldest generation behind the last collection of a kind.</summary>
    private static long OldestGeneration(GCKind kind) => GC.GetGCMemoryInfo(kind).GenerationInfo[GC.MaxGeneration].SizeAfterBytes;

    private static void Sweep() => GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true, compacting: false);

    [LoggerMessage(EventName = "memory_trimmed", Level = LogLevel.Debug, Message = "{Before} MB were resident, {After} MB are; {Milliseconds} ms")]
    private partial void Trimmed(long before, long after, double milliseconds);
}
