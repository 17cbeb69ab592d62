using System.Collections.Concurrent;
using System.ComponentModel;
using System.Runtime.InteropServices;
using Couic.Logging.Abstractions;
using Couic.Native;

namespace Couic.Http;

internal sealed partial class HttpServer
{
    private const ulong ListenerKey = ulong.MaxValue - 1;
    private const PollEvents ConnectionEvents = PollEvents.Readable | PollEvents.PeerClosed | PollEvents.EdgeTriggered;

    /// <summary>How often deadlines are looked at; a time-out may come later by this much.</summary>
    private const int SweepMilliseconds = 250;

    /// <summary>How often the loop goes round when there is nothing to do, for whoever watches that it does.</summary>
    private const int IdleMilliseconds = 1000;

    /// <summary>Full answers of the poller that are taken in a row.</summary>
    private const int MaxRounds = 64;

    /// <summary>Turns that may fail in a row. What fails longer does not mend itself, and the process is to be started again.</summary>
    private const int MaxFailedTurns = 100;

    /// <summary>After a turn that failed: a loop that cannot do anything takes no processor.</summary>
    private static readonly TimeSpan FailedTurnPause = TimeSpan.FromMilliseconds(10);

    /// <summary>Looks at the poller, of 0.3 us each, before the loop sleeps.</summary>
    private const int LooksBeforeSleep = 64;

    /// <summary>A sleep as short as this was not worth it.</summary>
    private static readonly TimeSpan BriskPause = TimeSpan.FromMicroseconds(50);

    /// <summary>How long connections are served before the poller is asked who else has something to do.</summary>
    private static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(1);

    /// <summary>How long new ones are taken. Each begins with its first requests, and whoever asks meanwhile waits for all of them.</summary>
    private static readonly TimeSpan AcceptSlice = TimeSpan.FromMicroseconds(250);

    private readonly ConnectionTable _connections = new();
    private readonly CallerTurns _ready = new();
    private readonly ConcurrentQueue<HttpConnection> _returning = new();
    private readonly RefusalReport.Share _parkedReports = new();
    private readonly List<HttpConnection> _sheddable = [];
    private readonly List<long> _parkedSince = [];
    private readonly List<HttpConnection> _evicted = [];

    /// <summary>Those that are served together, and how many of them have been.</summary>
    private readonly List<HttpConnection> _taken = new(GroupSize);
    private int _served;
    private long _nextSweep;
    private bool _isBrisk;
    private long _lastTurn;

    /// <summary>How long ago the event loop last went round: at most a second, unless it is stuck or has ended.</summary>
    public TimeSpan SinceLastTurn => _time.GetElapsedTime(Volatile.Read(ref _lastTurn));

    private void Run()
    {
        _loopThread = Environment.CurrentManagedThreadId;
        ExecutionContext.SuppressFlow(); // nothing travels with it, and each wait of each connection would carry it
        try
        {
            for (int failures = 0; !_isEnding || (_connections.Count > 0 && Now < _endBy);)
            {
                failures = TryTurn() ? 0 : failures + 1;
                if (failures == MaxFailedTurns)
                {
                    throw new InvalidOperationException($"{failures} turns in a row failed");
                }
            }
        }
        catch (Exception e)
        {
            HttpLog.LoopFailed(Log, e);
        }
        finally
        {
            _listener!.Dispose();
            _poller.Dispose();
            _ended.TrySetResult();
        }
    }

    /// <summary>An exception in one turn costs its connections that turn; those that had not been served yet are served in the next one.</summary>
    private bool TryTurn()
    {
        try
        {
            InternalErrors.Enter(Place.ApiLoop);
            Turn();
            return true;
        }
        catch (Exception e)
        {
            InternalErrors.Caught(Place.ApiLoop, Log, e);
            while (_served < _taken.Count)
            {
                _ready.Enter(_taken[_served++], PollEvents.Readable);
            }

            Thread.Sleep(FailedTurnPause);
            return false;
        }
    }

    private void Turn()
    {
        int n = Wait(_connections.Count == 0 && _listens ? IdleMilliseconds : SweepMilliseconds);
        long now = Now;
        Volatile.Write(ref _lastTurn, now);
        DispatchAll(n);
        TryAccept();
        Serve(now + Ticks(Slice));
        if (Volatile.Read(ref _isOverParked))
        {
            ShedParked();
        }

        if (now >= _nextSweep || _isStopping)
        {
            Sweep();
        }
    }

    /// <summary>
    /// A client that has an answer sends its next request within microseconds, and falling asleep and being woken costs both sides more
    /// than that: so it is looked out for, as long as that has paid.
    /// </summary>
    private int Wait(int timeoutMilliseconds)
    {
        if (!_ready.IsEmpty)
        {
            return _poller.Wait(0);
        }

        for (int i = 0; _isBrisk && i < LooksBeforeSleep; i++)
        {
            int ready = _poller.Wait(0);
            if (ready > 0)
            {
                return ready;
            }
        }

        long start = Now;
        int n = _poller.Wait(timeoutMilliseconds);
        _isBrisk = n > 0 && Environment.ProcessorCount > 1 && _time.GetElapsedTime(start) < BriskPause;
        return n;
    }

    /// <summary>Takes all that is ready: the poller tells in the order of time, which is the order of who has most connections.</summary>
    private void DispatchAll(int ready)
    {
        for (int rounds = 0; ; rounds++)
        {
            for (int i = 0; i < ready; i++)
            {
                Dispatch(i);
            }

            if (ready < Poller.MaxEvents || rounds == MaxRounds)
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
            while (_returning.TryDequeue(out HttpConnection? connection))
            {
                _ready.Enter(connection, PollEvents.Readable);
            }

            return; // woken
        }

        if (key == ListenerKey)
        {
            _isCalled = true;
        }
        else if (_connections.Find(key) is { } connection)
        {
            _ready.Enter(connection, events);
        }
    }

    /// <summary>
    /// Lets connections go on that have something to do. A few of them receive one after the other before they are handled one after the
    /// other: kernel and server each find their code in the processor's cache, which has no room for both.
    /// </summary>
    private void Serve(long end)
    {
        while (TakeReady())
        {
            foreach (HttpConnection connection in _taken)
            {
                ReceiveAhead(connection);
            }

            while (_served < _taken.Count)
            {
                GoOn(_taken[_served++]);
                if (_joined.Count >= GroupSize || _deferred >= GroupRequests)
                {
                    FinishGroup();
                }
            }

            if (!_ready.IsEmpty && Now >= end)
            {
                break;
            }
        }

        FinishGroup();
    }

    /// <summary>An exception that a connection did not catch itself ends that connection, and no other.</summary>
    private static void ReceiveAhead(HttpConnection connection)
    {
        try
        {
            connection.ReceiveAhead();
        }
        catch (Exception e)
        {
            connection.Abandon(e);
        }
    }

    private static void GoOn(HttpConnection connection)
    {
        try
        {
            InternalErrors.Enter(Place.ApiConnection);
            connection.GoOn();
        }
        catch (Exception e)
        {
            connection.Abandon(e);
        }
    }

    /// <summary>Takes those that are served next; false when nobody has anything to do.</summary>
    private bool TakeReady()
    {
        _taken.Clear();
        _served = 0;
        while (_taken.Count < GroupSize && _ready.TryTake(out HttpConnection? connection))
        {
            _taken.Add(connection);
        }

        return _taken.Count > 0;
    }

    /// <summary>Puts a connection that has not done all it can do behind those that came meanwhile.</summary>
    internal void ServeLater(HttpConnection connection)
    {
        if (IsOnLoop)
        {
            _ready.Enter(connection, PollEvents.Readable);
        }
        else
        {
            _returning.Enqueue(connection);
            _poller.Wake();
        }
    }

    /// <summary>
    /// Ends the connections that have waited longest with memory of their own, until a tenth of it is free. What those that were ended
    /// before are about to give back is free already: else all connections would be gone through again and again until they have.
    /// </summary>
    private void ShedParked()
    {
        Volatile.Write(ref _isOverParked, false);
        long excess = Volatile.Read(ref _parked) - (Limits.MaxParkedBytes / 10 * 9L);
        ForgetThoseThatLeft();
        foreach (HttpConnection connection in _evicted)
        {
            excess -= connection.ParkedBytes;
        }

        if (excess <= 0)
        {
            return;
        }

        foreach (HttpConnection connection in _connections.Snapshot())
        {
            if (connection is { ParkedBytes: > 0, IsEvicted: false })
            {
                _sheddable.Add(connection);
                _parkedSince.Add(connection.ParkedSince);
            }
        }

        CollectionsMarshal.AsSpan(_parkedSince).Sort(CollectionsMarshal.AsSpan(_sheddable));
        foreach (HttpConnection connection in _sheddable)
        {
            if (excess <= 0)
            {
                break;
            }

            excess -= connection.ParkedBytes;
            connection.Evict();
            _evicted.Add(connection);
        }

        _sheddable.Clear();
        _parkedSince.Clear();
        if (_parkedReports.TryTake(_time, 1, out long suppressed))
        {
            HttpLog.ParkedFull(Log, Limits.MaxParkedBytes, HttpLog.More(suppressed));
        }
    }

    private void ForgetThoseThatLeft() => _evicted.RemoveAll(static connection => connection.ParkedBytes == 0);

    private void Sweep()
    {
        ForgetThoseThatLeft();
        long now = Now;
        _nextSweep = now + Ticks(TimeSpan.FromMilliseconds(SweepMilliseconds));
        if (_isStopping)
        {
            _listener!.Dispose(); // who connects now is refused, instead of waiting for nothing
        }
        else if (!_listens && now >= _acceptAgain)
        {
            Listen(true);
        }

        foreach (HttpConnection connection in _connections.Snapshot())
        {
            if (_isEnding || (_isStopping && connection.IsWaiting))
            {
                connection.Expire();
            }
            else
            {
                connection.CoolDown(now - Ticks(TimeSpan.FromMilliseconds(SweepMilliseconds)));
                connection.CheckDeadline(now);
            }
        }
    }

    internal void Remove(HttpConnection connection) => _connections.Remove(connection);
}
