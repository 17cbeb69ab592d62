using Couic.Http;
using Couic.Http.Transport;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

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
        Buffers.Trim();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        TimeSpan pause = GC.GetGCMemoryInfo(GCKind.FullBlocking).PauseDurations[0];
        long left = Environment.WorkingSet;
        _rule.Done(left, pause);
        Trimmed(resident >> 20, left >> 20, pause.TotalMilliseconds);
    }

    [LoggerMessage(EventName = "memory_trimmed", Level = LogLevel.Debug, Message = "{Before} MB were resident, {After} MB are; {Milliseconds} ms")]
    private partial void Trimmed(long before, long after, double milliseconds);
}
