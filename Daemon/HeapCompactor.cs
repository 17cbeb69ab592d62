using Couic.Http;
using Couic.Logging.Abstractions;
using Couic.Native;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>Decides when a blocking, compacting collection is worth its pause of some milliseconds. Not thread-safe.</summary>
internal sealed class CompactionPolicy(long resident, TimeProvider time)
{
    /// <summary>Growth that is worth a pause.</summary>
    public const long WorthBytes = 24 << 20;

    /// <summary>
    /// Growth that is worth a pause at most once per <see cref="Leisure"/>. Otherwise the collector waits until its oldest generation has
    /// nearly doubled, and under a steady load memory would rise and fall by that, over hours.
    /// </summary>
    public const long WorthLeisureBytes = 2 << 20;

    /// <summary>A decrease of the connections that is worth a pause.</summary>
    public const int WorthConnections = 500;

    /// <summary>With more connections than this, open or opened since the last poll, most memory is in use: a pause is longer and frees less.</summary>
    public const int ManyConnections = 1_000;

    /// <summary>Growth above the memory at rest that is worth a pause even then.</summary>
    public const long WorthBurstBytes = 100 << 20;

    /// <summary>How long a burst must be over: the next one often follows at once.</summary>
    public static readonly TimeSpan Calm = TimeSpan.FromSeconds(3);

    /// <summary>The minimum interval for small growth.</summary>
    public static readonly TimeSpan Leisure = TimeSpan.FromMinutes(1);

    /// <summary>Long pauses are rarer: for small growth, threads stop for at most one part in this many of the time.</summary>
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

    /// <summary>To be called about once per second.</summary>
    /// <param name="resident">Bytes.</param>
    /// <param name="open">Open connections.</param>
    /// <param name="opened">Connections opened since the start.</param>
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

    /// <summary>Records a compaction.</summary>
    /// <param name="resident">Bytes after it.</param>
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
/// Returns unused memory to the system. The concurrent collector runs on allocations and does not compact: the memory of ten thousand
/// closed connections, or of the list of a full table, would stay resident.
/// </summary>
internal sealed partial class HeapCompactor : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly HttpServer _server;
    private readonly ILogger _log;
    private readonly CompactionPolicy _policy = new(Environment.WorkingSet, TimeProvider.System);
    private readonly PeriodicTask _task;

    public HeapCompactor(HttpServer server, ILogger log)
    {
        _server = server;
        _log = log;
        _task = new PeriodicTask(Place.HeapCompactor, log, Period, Poll);
        _task.Start(Period);
    }

    public void Dispose() => _task.Dispose();

    private void Poll()
    {
        long resident = Environment.WorkingSet;
        if (_policy.IsDue(resident, _server.ConnectionCount, _server.ConnectionsOpened))
        {
            Compact(resident);
        }
    }

    private void Compact(long resident)
    {
        BufferPool.Trim();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        _ = Libc.malloc_trim(0); // of TLS sessions that have ended
        TimeSpan pause = GC.GetGCMemoryInfo(GCKind.FullBlocking).PauseDurations[0];
        long left = Environment.WorkingSet;
        _policy.Done(left, pause);
        Compacted(resident >> 20, left >> 20, pause.TotalMilliseconds);
    }

    [LoggerMessage(EventName = "memory_trimmed", Level = LogLevel.Debug, Message = "{Before} MB were resident, {After} MB are; {Milliseconds} ms")]
    private partial void Compacted(long before, long after, double milliseconds);
}
