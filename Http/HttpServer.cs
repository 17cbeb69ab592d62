using System.Net;
using System.Net.Sockets;
using Couic.Http.Parsing;
using Couic.Native;
using Microsoft.Extensions.Logging;

namespace Couic.Http;

/// <summary>
/// An HTTP/1.1 server on listening stream sockets. One thread serves all connections (<see cref="EventLoop"/>); handlers that take long
/// are offloaded. Memory, time and the number of connections are bounded by <see cref="HttpLimits"/>.
/// </summary>
internal sealed class HttpServer : IAsyncDisposable
{
    /// <summary>The most sockets that it listens on.</summary>
    public const int MaxListeners = 17;

    /// <summary>Requests of <see cref="WorkClass.Blocking"/> at a time.</summary>
    private const int MaxBlocking = 3;

    /// <summary>Requests of each other class at a time: half of the processors, and no more than the thread pool can spare.</summary>
    private static readonly int MaxComputing = Math.Clamp(Environment.ProcessorCount / 2, 1, 4);

    /// <summary>For connections to notice that they are to end at once; a handler that does not return is abandoned.</summary>
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(2);

    private readonly FairSemaphore[] _workers = [new(MaxComputing), new(MaxComputing), new(MaxBlocking)];
    private readonly double _timestampsPerTick;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile IReadOnlyList<IPNetwork>? _allowed;
    private volatile TlsContext? _tls;
    private volatile bool _isStopping;
    private volatile bool _isEnding;
    private bool _isStarted;
    private long _endBy;

    public HttpServer(HttpLimits limits, Router router, TimeProvider time, ILogger log, StatusCounters? counters = null)
    {
        Limits = limits;
        Router = router;
        Log = log;
        Time = time;
        _timestampsPerTick = time.TimestampFrequency / (double)TimeSpan.TicksPerSecond;
        Date = new DateHeader(time);
        Refusals = new RefusalReport(log, time);
        Counters = counters ?? new StatusCounters();
        LargeBodies = new FairSemaphore(limits.MaxLargeBodies);
        Loop = new EventLoop(this);
        Budget = new MemoryBudget(limits.MaxParkedBytes, Loop.Wake);
        Connections = new ConnectionManager(this);
        Handshakes = new Handshakes(this);
    }

    public HttpLimits Limits { get; }

    public StatusCounters Counters { get; }

    /// <summary>Open connections.</summary>
    public int ConnectionCount => Connections.Count;

    /// <summary>Connections that were ever opened.</summary>
    public long ConnectionsOpened => Connections.Opened;

    /// <summary>Whether the event loop has ended: stopped, or broken beyond repair.</summary>
    public bool HasEnded => _ended.Task.IsCompleted;

    /// <summary>The age of the event loop's present iteration: at most a second, unless it is stuck or has ended.</summary>
    public TimeSpan SinceLastIteration => Time.GetElapsedTime(Loop.IteratedAt);

    internal EventLoop Loop { get; }

    internal ConnectionManager Connections { get; }

    internal Handshakes Handshakes { get; }

    internal MemoryBudget Budget { get; }

    internal Router Router { get; }

    internal ILogger Log { get; }

    internal TimeProvider Time { get; }

    internal DateHeader Date { get; }

    internal RefusalReport Refusals { get; }

    internal FairSemaphore LargeBodies { get; }

    internal bool IsStopping => _isStopping;

    internal bool IsEnding => _isEnding;

    internal bool HasToEnd => _isEnding && (Connections.Count == 0 || Now >= _endBy);

    internal long Now => Time.GetTimestamp();

    internal long Ticks(TimeSpan time) => (long)(time.Ticks * _timestampsPerTick);

    internal FairSemaphore Workers(WorkClass work) => _workers[(int)work];

    /// <summary>Networks from which clients may connect, except to Unix sockets; null: from everywhere. Thread-safe.</summary>
    public IReadOnlyList<IPNetwork>? Allowed
    {
        get => _allowed;
        set => _allowed = value;
    }

    /// <summary>
    /// Certificate and rules of TLS, which clients of the network then have to speak; null: plain HTTP. Set before the start or never; later
    /// ones are for new connections. Thread-safe.
    /// </summary>
    public TlsContext? Tls
    {
        get => _tls;
        set => _tls = value;
    }

    /// <summary>TLS handshakes since the start by their ends.</summary>
    public (long Established, long Failed, long TimedOut) HandshakeCounts => Handshakes.Counts;

    /// <summary>Starts to serve connections of sockets that are bound and listen. The server closes them when it stops.</summary>
    public void Start(params IReadOnlyList<Socket> listeners)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(listeners.Count, MaxListeners);
        _isStarted = true;
        Connections.Listen(listeners);
        if (Tls is not null)
        {
            Handshakes.Start();
        }

        Loop.Start(listeners);
    }

    /// <summary>
    /// Stops to accept, lets requests that have begun finish for at most <paramref name="grace"/>, and then closes the other connections.
    /// </summary>
    public async Task StopAsync(TimeSpan grace)
    {
        if (!_isStarted || _isStopping || HasEnded)
        {
            await (_isStarted ? _ended.Task : Task.CompletedTask);
            return;
        }

        _isStopping = true;
        Loop.Wake();
        long end = Now + Ticks(grace);
        while (Connections.Count > 0 && Now < end)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), Time);
        }

        _endBy = Now + Ticks(EndTimeout);
        _isEnding = true;
        Loop.Wake();
        await _ended.Task;
    }

    public async ValueTask DisposeAsync() => await StopAsync(TimeSpan.Zero);

    internal void OnLoopEnded()
    {
        Connections.StopListening();
        Handshakes.Dispose();
        _ended.TrySetResult();
    }
}
