using System.Net.Sockets;
using Couic.Http.Parsing;
using Couic.Native;
using Microsoft.Extensions.Logging;

namespace Couic.Http;

/// <summary>
/// The API's server on one listening stream socket. One thread waits for events of all connections (level-triggered for new
/// ones, edge-triggered for their data) and handles requests as they come; handlers that take long leave it. Memory, time and
/// number of connections are bounded by <see cref="HttpLimits"/>.
/// </summary>
internal sealed partial class HttpServer : IAsyncDisposable
{
    /// <summary>Descriptors that are no connections: maps, logs, peers, files.</summary>
    private const int OtherDescriptors = 256;

    /// <summary>Requests of <see cref="Work.Waiting"/> at a time.</summary>
    private const int MaxWaiting = 3;

    /// <summary>Requests of <see cref="Work.Brief"/>, and of <see cref="Work.Long"/>, at a time: half of the processors, and no more than the thread pool can spare.</summary>
    private static readonly int MaxComputing = Math.Clamp(Environment.ProcessorCount / 2, 1, 4);

    /// <summary>Connections that keep their buffers while they rest: 20 KiB each, in no account.</summary>
    internal const int MaxWarm = 64;

    /// <summary>Requests that compute away from the event loop, by the number of their <see cref="Work"/>.</summary>
    private readonly Turns[] _turnsAt = [new(MaxComputing), new(MaxComputing), new(MaxWaiting)];
    private readonly TimeProvider _time;
    private readonly double _timestampsPerTick;
    private readonly Poller _poller = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isStopping;
    private volatile bool _isEnding;
    private Socket? _listener;
    private long _parked;
    private int _warm;
    private bool _isOverParked;
    private long _endBy;

    /// <summary>For connections to notice that they are to end at once; a handler that is stuck is left behind.</summary>
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(2);

    public HttpServer(HttpLimits limits, Router router, TimeProvider time, ILogger log, StatusCounters? counters = null)
    {
        Limits = limits;
        Router = router;
        Log = log;
        _time = time;
        _timestampsPerTick = time.TimestampFrequency / (double)TimeSpan.TicksPerSecond;
        Date = new DateHeader(time);
        Refusals = new RefusalReport(log, time);
        Counters = counters ?? new StatusCounters();
        LargeBodies = new Turns(limits.MaxLargeBodies);
    }

    public HttpLimits Limits { get; }

    public StatusCounters Counters { get; }

    /// <summary>Open connections.</summary>
    public int ConnectionCount => _connections.Count;

    /// <summary>Connections that were ever opened.</summary>
    public long ConnectionsOpened => _connections.Opened;

    internal Router Router { get; }

    internal ILogger Log { get; }

    internal DateHeader Date { get; }

    internal RefusalReport Refusals { get; }

    internal Turns LargeBodies { get; }

    internal bool IsStopping => _isStopping;

    internal long Now => _time.GetTimestamp();

    internal long Ticks(TimeSpan time) => (long)(time.Ticks * _timestampsPerTick);

    internal Turns TurnsAt(Work work) => _turnsAt[(int)work];

    /// <summary>Whether the event loop is over: stopped, or broken beyond repair.</summary>
    public bool HasEnded => _ended.Task.IsCompleted;

    /// <summary>Starts to serve connections of a socket that is bound and listens. The server closes it when it stops.</summary>
    public void Start(Socket listener)
    {
        _listener = listener;
        listener.Blocking = false;
        Descriptors.Reserve(listener.SafeHandle, Limits.MaxConnections + OtherDescriptors);
        _lastTurn = Now;
        _poller.Add(listener.SafeHandle, PollEvents.Readable, ListenerKey);
        var thread = new Thread(Run) { IsBackground = true, Name = "api" };
        thread.Start();
    }

    /// <summary>
    /// Stops to accept, lets requests that have begun finish for at most <paramref name="grace"/>, and closes what is left then.
    /// </summary>
    public async Task StopAsync(TimeSpan grace)
    {
        if (_listener is null || _isStopping || HasEnded)
        {
            await (_listener is null ? Task.CompletedTask : _ended.Task);
            return;
        }

        _isStopping = true;
        _poller.Wake();
        long end = _time.GetTimestamp() + Ticks(grace);
        while (_connections.Count > 0 && _time.GetTimestamp() < end)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), _time);
        }

        _endBy = _time.GetTimestamp() + Ticks(EndTimeout);
        _isEnding = true;
        try
        {
            _poller.Wake();
        }
        catch (ObjectDisposedException)
        {
            // The loop was awake for another reason, saw that it is to end, and has ended.
        }

        await _ended.Task;
    }

    public async ValueTask DisposeAsync() => await StopAsync(TimeSpan.Zero);

    /// <summary>
    /// Takes a share of the memory for connections that wait. When there is none left, those that have waited longest lose theirs
    /// at the next sweep, which is due then; what comes faster than that is refused.
    /// </summary>
    internal bool TryPark(int bytes)
    {
        long parked = Interlocked.Add(ref _parked, bytes);
        if (parked <= Limits.MaxParkedBytes)
        {
            return true;
        }

        if (!Interlocked.Exchange(ref _isOverParked, true))
        {
            _poller.Wake();
        }

        if (parked <= Limits.MaxParkedBytes + (Limits.MaxParkedBytes / 4))
        {
            return true;
        }

        Interlocked.Add(ref _parked, -bytes);
        return false;
    }

    /// <summary>Connections that keep their buffers while they rest.</summary>
    internal int WarmConnections => Volatile.Read(ref _warm);

    /// <summary>Lets one more connection keep its buffers while it rests, until <see cref="Cool"/>.</summary>
    internal bool TryWarm()
    {
        if (WarmConnections >= MaxWarm)
        {
            return false;
        }

        Interlocked.Increment(ref _warm);
        return true;
    }

    internal void Cool() => Interlocked.Decrement(ref _warm);

    /// <summary>Whether less than half of the memory for those that wait is taken.</summary>
    internal bool HasRoomToPark => Volatile.Read(ref _parked) < Limits.MaxParkedBytes / 2;

    internal void Unpark(int bytes) => Interlocked.Add(ref _parked, -bytes);

    /// <summary>Whether the poller also tells when there is room to write.</summary>
    internal void Watch(HttpConnection connection, bool writable) =>
        _poller.Modify(connection.Socket, writable ? ConnectionEvents | PollEvents.Writable : ConnectionEvents, connection.Key);
}
