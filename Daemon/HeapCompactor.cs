using Couic.Http;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>When memory is worth moving together, which stops all threads for some milliseconds. Not thread-safe.</summary>
internal sealed class TrimRule(long resident, TimeProvider time)
{
    /// <summary>Growth that is worth it.</summary>
    public const long WorthBytes = 24 << 20;

    /// <summary>
    /// Growth that is worth it at leisure. Left alone the collector waits until its oldest generation has nearly doubled, so that under a
    /// steady load memory would rise and fall by that, over hours.
    /// </summary>
    public const long WorthLeisureBytes = 2 << 20;

    /// <summary>Fewer connections than there were, by so many, are as well.</summary>
    public const int WorthConnections = 500;

    /// <summary>With more of them open than this, or opened since the last look, it takes longer, and gives less back: most is in use.</summary>
    public const int ManyConnections = 1_000;

    /// <summary>Growth above what there was at rest that is worth it nevertheless.</summary>
    public const long WorthBurstBytes = 100 << 20;

    /// <summary>How long a burst is taken to go on when it seems to be over: the next one often comes at once.</summary>
    public static readonly TimeSpan Calm = TimeSpan.FromSeconds(3);

    /// <summary>The least time between two at leisure.</summary>
    public static readonly TimeSpan Leisure = TimeSpan.FromMinutes(1);

    /// <summary>What takes long is rarer: all at leisure together stop the threads for at most this share of the time.</summary>
    private const int LeisureShare = 2_000;

    private readonly long _start = time.GetTimestamp();
    private TimeSpan _leisureAt = Leisure;
    private TimeSpan _calmAt;
    private long _least = resident;
    private long _atRest = resident;
    private int _most;
    private int _open;
    private long _opened;

    private TimeSpan Now => time.GetElapsedTime(_start);

    /// <summary>For one look, about once a second.</summary>
    /// <param name="resident">Bytes.</param>
    /// <param name="open">Connections that are open.</param>
    /// <param name="opened">All that were ever opened.</param>
    public bool IsDue(long resident, int open, long opened)
    {
        if (open > ManyConnections || opened - _opened > ManyConnections)
        {
            _calmAt = Now + Calm;
        }

        bool isDue = Now < _calmAt ? resident >= Math.Max(_least + WorthBytes, _atRest + WorthBurstBytes) : IsDueAtRest(resident, open);
        _open = open;
        _opened = opened;
        _most = Math.Max(_most, open);
        _least = Math.Min(_least, resident);
        NoteRest(resident);
        return isDue;
    }

    /// <summary>It was done.</summary>
    /// <param name="resident">Bytes that are left.</param>
    public void Done(long resident, TimeSpan pause)
    {
        _leisureAt = Now + TimeSpan.FromTicks(Math.Max(Leisure.Ticks, pause.Ticks * LeisureShare));
        _most = _open;
        _least = resident;
        NoteRest(resident);
    }

    private bool IsDueAtRest(long resident, int open) =>
        resident >= _least + WorthBytes || open <= _most - WorthConnections || (resident >= _least + WorthLeisureBytes && Now >= _leisureAt);

    private void NoteRest(long resident)
    {
        if (Now >= _calmAt)
        {
            _atRest = resident;
        }
    }
}

/// <summary>
/// Gives memory back that nobody uses. The collector runs when something is allocated, beside everything else, and moves nothing: ten thousand
/// connections that are gone, or the list of a full table, would leave what they took where it is.
/// </summary>
internal sealed partial class MemoryTrimmer : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly HttpServer _server;
    private readonly ILogger _log;
    private readonly TrimRule _rule = new(Environment.WorkingSet, TimeProvider.System);
    private readonly PeriodicTask _task;

    public MemoryTrimmer(HttpServer server, ILogger log)
    {
        _server = server;
        _log = log;
        _task = new PeriodicTask(Place.MemoryTrimmer, log, Period, Look);
        _task.Start(Period);
    }

    public void Dispose() => _task.Dispose();

    private void Look()
    {
        long resident = Environment.WorkingSet;
        if (_rule.IsDue(resident, _server.ConnectionCount, _server.ConnectionsOpened))
        {
            Trim(resident);
        }
    }

    /// <summary>What is left is moved together, and whole pieces go back to the system.</summary>
    private void Trim(long resident)
    {
        BufferPool.Trim();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        TimeSpan pause = GC.GetGCMemoryInfo(GCKind.FullBlocking).PauseDurations[0];
        long left = Environment.WorkingSet;
        _rule.Done(left, pause);
        Trimmed(resident >> 20, left >> 20, pause.TotalMilliseconds);
    }

    [LoggerMessage(EventName = "memory_trimmed", Level = LogLevel.Debug, Message = "{Before} MB were resident, {After} MB are; {Milliseconds} ms")]
    private partial void Trimmed(long before, long after, double milliseconds);
}
