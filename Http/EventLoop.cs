using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Couic.Logging.Abstractions;
using Couic.Native;
using Microsoft.Extensions.Logging;

namespace Couic.Http;

/// <summary>
/// The thread that serves all connections. It drains epoll (level-triggered for listeners, edge-triggered for connections), then serves
/// ready connections round-robin by caller, for a millisecond at most before it polls again.
/// </summary>
internal sealed class EventLoop : IDisposable
{
    private const ulong FirstListenerKey = ulong.MaxValue - HttpServer.MaxListeners;
    private const PollEvents ConnectionEvents = PollEvents.Readable | PollEvents.PeerClosed | PollEvents.EdgeTriggered;

    /// <summary>The longest sleep of an idle loop, so that a watchdog sees that it lives.</summary>
    private const int IdleMilliseconds = 1000;

    /// <summary>Full results of the poller that are taken in a row.</summary>
    private const int MaxPolls = 64;

    /// <summary>Failed iterations in a row after which the loop ends, for the process to be restarted.</summary>
    private const int MaxFailures = 100;

    /// <summary>Polls, of 0.3 us each, before the loop sleeps.</summary>
    private const int MaxSpins = 64;

    /// <summary>A sleep shorter than this costs more than spinning.</summary>
    private static readonly TimeSpan BusyPollThreshold = TimeSpan.FromMicroseconds(50);

    /// <summary>After a failed iteration: a loop that fails each time must not take a processor.</summary>
    private static readonly TimeSpan FailurePause = TimeSpan.FromMilliseconds(10);

    /// <summary>How long connections are served before the poller is asked again.</summary>
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(1);

    private readonly HttpServer _server;
    private readonly Poller _poller = new();
    private readonly RoundRobinScheduler _scheduler = new();
    private readonly ConcurrentQueue<Connection> _posted = new();

    /// <summary>Connections that are served one after the other, and how many of them have been.</summary>
    private readonly List<Connection> _taken = new(RequestBatch.MaxConnections);
    private int _served;
    private bool _busyPoll;
    private long _iteratedAt;
    private int _thread;

    public EventLoop(HttpServer server)
    {
        _server = server;
        Batch = new RequestBatch(() => _served < _taken.Count || !_scheduler.IsEmpty);
    }

    public RequestBatch Batch { get; }

    /// <summary>When the present iteration began, in timestamps.</summary>
    public long IteratedAt => Volatile.Read(ref _iteratedAt);

    public bool IsCurrent => Environment.CurrentManagedThreadId == _thread;

    public void Start(IReadOnlyList<Socket> listeners)
    {
        Volatile.Write(ref _iteratedAt, _server.Now);
        for (int i = 0; i < listeners.Count; i++)
        {
            _poller.Add(listeners[i].SafeHandle, PollEvents.Readable, FirstListenerKey + (ulong)i);
        }

        new Thread(Run) { IsBackground = true, Name = "api" }.Start();
    }

    public void Add(Connection connection) => _poller.Add(connection.Socket, ConnectionEvents, connection.Key);

    /// <summary>Whether the poller also reports when the socket can take more.</summary>
    public void Watch(Connection connection, bool writable) =>
        _poller.Modify(connection.Socket, writable ? ConnectionEvents | PollEvents.Writable : ConnectionEvents, connection.Key);

    public void WatchListener(int index, SafeHandle listener, bool watch) =>
        _poller.Modify(listener, watch ? PollEvents.Readable : PollEvents.None, FirstListenerKey + (ulong)index);

    /// <summary>Interrupts the loop's sleep. Does nothing once the loop has ended. Thread-safe.</summary>
    public void Wake()
    {
        try
        {
            _poller.Wake();
        }
        catch (ObjectDisposedException)
        {
        }
    }

    /// <summary>Has a connection served on the loop's thread. Thread-safe.</summary>
    public void Post(Connection connection)
    {
        _posted.Enqueue(connection);
        Wake();
    }

    /// <summary>Queues a connection that has more to do after those that are ready.</summary>
    public void Yield(Connection connection) => _scheduler.Enqueue(connection, PollEvents.Readable);

    /// <summary>The loop does this itself when it ends.</summary>
    public void Dispose() => _poller.Dispose();

    private void Run()
    {
        _thread = Environment.CurrentManagedThreadId;
        ExecutionContext.SuppressFlow(); // there is none, and each wait of each handler would carry it
        try
        {
            for (int failures = 0; !_server.HasToEnd;)
            {
                failures = TryIterate() ? 0 : failures + 1;
                if (failures == MaxFailures)
                {
                    throw new InvalidOperationException($"{failures} iterations in a row failed");
                }
            }
        }
        catch (Exception e)
        {
            HttpLog.LoopFailed(_server.Log, e);
        }
        finally
        {
            Dispose();
            _server.OnLoopEnded();
        }
    }

    /// <summary>After an exception the connections that had not been served yet are served in the next iteration.</summary>
    private bool TryIterate()
    {
        try
        {
            InternalErrors.Enter(Place.ApiLoop);
            Iterate();
            return true;
        }
        catch (Exception e)
        {
            InternalErrors.Caught(Place.ApiLoop, _server.Log, e);
            while (_served < _taken.Count)
            {
                _scheduler.Enqueue(_taken[_served++], PollEvents.Readable);
            }

            Thread.Sleep(FailurePause);
            return false;
        }
    }

    private void Iterate()
    {
        int ready = Poll(_server.Connections.IsIdle ? IdleMilliseconds : ConnectionManager.TimerMilliseconds);
        long now = _server.Now;
        Volatile.Write(ref _iteratedAt, now);
        DispatchAll(ready);
        _server.Connections.Accept();
        Serve(now + _server.Ticks(Slice));
        _server.Connections.RunTimers(now);
    }

    /// <summary>
    /// A client that got a response sends its next request within microseconds, and sleeping and waking costs both sides more than that: so
    /// the loop spins first, as long as the last sleep was short.
    /// </summary>
    private int Poll(int timeoutMilliseconds)
    {
        if (!_scheduler.IsEmpty)
        {
            return _poller.Wait(0);
        }

        for (int i = 0; _busyPoll && i < MaxSpins; i++)
        {
            int ready = _poller.Wait(0);
            if (ready > 0)
            {
                return ready;
            }
        }

        long start = _server.Now;
        int n = _poller.Wait(timeoutMilliseconds);
        _busyPoll = n > 0 && Environment.ProcessorCount > 1 && _server.Now - start < _server.Ticks(BusyPollThreshold);
        return n;
    }

    /// <summary>Takes everything that is ready: the poller reports in the order of time, which favours the process with most connections.</summary>
    private void DispatchAll(int ready)
    {
        for (int polls = 0; ; polls++)
        {
            for (int i = 0; i < ready; i++)
            {
                Dispatch(i);
            }

            if (ready < Poller.MaxEvents || polls == MaxPolls)
            {
                return;
            }

            ready = _poller.Wait(0);
        }
    }

    private void Dispatch(int index)
    {
        if (!_poller.Event(index, out PollEvents events, out ulong key))
        {
            while (_posted.TryDequeue(out Connection? posted))
            {
                _scheduler.Enqueue(posted, PollEvents.Readable);
            }

            while (_server.Handshakes.TryTake(out Handshake? ended))
            {
                _server.Connections.OnHandshakeEnded(ended);
            }
        }
        else if (key >= FirstListenerKey)
        {
            _server.Connections.OnListenerReady((int)(key - FirstListenerKey));
        }
        else if (_server.Connections.Find(key) is { } connection)
        {
            _scheduler.Enqueue(connection, events);
        }
    }

    /// <summary>
    /// Prefetch: a few connections receive before the first of them is served, so that the kernel's and the server's code each stay in the
    /// processor's cache.
    /// </summary>
    private void Serve(long end)
    {
        while (TakeReady())
        {
            foreach (Connection connection in _taken)
            {
                connection.Prefetch();
            }

            while (_served < _taken.Count)
            {
                _taken[_served++].OnReady();
                if (Batch.IsFull)
                {
                    Batch.Complete();
                }
            }

            if (!_scheduler.IsEmpty && _server.Now >= end)
            {
                break;
            }
        }

        Batch.Complete();
    }

    private bool TakeReady()
    {
        _taken.Clear();
        _served = 0;
        while (_taken.Count < RequestBatch.MaxConnections && _scheduler.TryDequeue(out Connection? connection))
        {
            _taken.Add(connection);
        }

        return _taken.Count > 0;
    }
}
