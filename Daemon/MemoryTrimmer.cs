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
    /// Growth that is worth one at leisure. Left alone the collector waits until its oldest generation has nearly doubled, so that under a
    /// steady load memory would rise and fall by that, over hours.
    /// </summary>
    private const long WorthLeisureBytes = 2 << 20;

    /// <summary>The least time between two at leisure.</summary>
    private static readonly TimeSpan Leisure = TimeSpan.FromMinutes(1);

    /// <summary>A collection of a large heap takes long, and is rarer: all at leisure together stop the threads for at most this share of the time.</summary>
    private const int LeisureShare = 2_000;

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
    private long _leisureAt = Environment.TickCount64 + (long)Leisure.TotalMilliseconds;
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
        if (isBurst ? resident >= Math.Max(_least + WorthBytes, _atRest + WorthBurstBytes) : IsWorthIt(resident, open))
        {
            Trim(resident, open);
        }

        _least = Math.Min(_least, resident);
        _most = Math.Max(_most, open);
        if (!isBurst)
        {
            _atRest = Environment.WorkingSet;
        }
    }

    private bool IsWorthIt(long resident, int open) =>
        resident >= _least + WorthBytes || open <= _most - WorthConnections || (resident >= _least + WorthLeisureBytes && Environment.TickCount64 >= _leisureAt);

    /// <summary>What is left is moved together, and whole pieces go back to the system.</summary>
    private void Trim(long resident, int open)
    {
        Buffers.Trim();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        TimeSpan pause = GC.GetGCMemoryInfo(GCKind.FullBlocking).PauseDurations[0];
        _leisureAt = Environment.TickCount64 + (long)Math.Max(Leisure.TotalMilliseconds, pause.TotalMilliseconds * LeisureShare);
        _most = open;
        _least = Environment.WorkingSet;
        Trimmed(resident >> 20, _least >> 20, pause.TotalMilliseconds);
    }

    [LoggerMessage(EventName = "memory_trimmed", Level = LogLevel.Debug, Message = "{Before} MB were resident, {After} MB are; {Milliseconds} ms")]
    private partial void Trimmed(long before, long after, double milliseconds);
}
