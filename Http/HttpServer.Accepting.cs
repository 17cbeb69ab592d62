using Couic.Logging.Abstractions;
using Couic.Native;

namespace Couic.Http;

// New connections, and the room for them.
internal sealed partial class HttpServer
{
    /// <summary>
    /// Connections that make room when descriptors have run out, as one would be gone again at once; and what who wants to connect then,
    /// whom nobody knows, is taken to have already.
    /// </summary>
    private const int RoomWithoutDescriptors = 32;

    /// <summary>Connections that are found at a time to make room, one after the other.</summary>
    private const int MaxIdlest = 256;

    /// <summary>How long nobody is looked for after nobody was found.</summary>
    private static readonly TimeSpan NobodyIdle = TimeSpan.FromMilliseconds(50);

    private readonly Queue<(HttpConnection Connection, long Since)> _idlest = new();
    private readonly RefusalReport.Share _fullReports = new();
    private readonly RefusalReport.Share _acceptReports = new();
    private bool _listens = true;
    private bool _isCalled;
    private long _acceptAgain;
    private long _findAgain;

    /// <summary>
    /// Takes those that want to connect, if anybody does. A new connection begins with its first requests, so many of them at once would
    /// keep those that are open waiting.
    /// </summary>
    private void TryAccept()
    {
        try
        {
            InternalErrors.Enter(Place.ApiAccept);
            Accept();
        }
        catch (Exception e)
        {
            InternalErrors.Caught(Place.ApiAccept, Log, e);
            Listen(false);
            _acceptAgain = Now + (Ticks(TimeSpan.FromMilliseconds(SweepMilliseconds)) / 2);
        }
    }

    private void Accept()
    {
        if (!_isCalled)
        {
            return;
        }

        _isCalled = false;
        long end = Now + Ticks(AcceptSlice);
        while (!_isStopping && Now < end)
        {
            int error = StreamSocket.Accept(_listener!.SafeHandle, out StreamSocket? socket);
            if (socket is not null)
            {
                Open(socket);
            }
            else if (error == StreamSocket.WouldBlock)
            {
                return;
            }
            else if (error is not (StreamSocket.Aborted or StreamSocket.Interrupted))
            {
                PauseAccepting(error);
                return;
            }
        }
    }

    /// <summary>
    /// Descriptors or memory have run out. The connection stays in the backlog, and the listener ready: look away for a moment instead of
    /// spinning.
    /// </summary>
    private void PauseAccepting(int error)
    {
        bool lacksDescriptors = error is StreamSocket.ProcessFull or StreamSocket.SystemFull;
        for (int k = 0; lacksDescriptors && k < RoomWithoutDescriptors && MakeRoom(RoomWithoutDescriptors); k++)
        {
        }

        Listen(false);
        _acceptAgain = Now + (Ticks(TimeSpan.FromMilliseconds(SweepMilliseconds)) / 2);
        if (_acceptReports.TryTake(_time, 1, out _))
        {
            HttpLog.AcceptFailed(Log, -error);
        }
    }

    private void Open(StreamSocket socket)
    {
        int process = socket.PeerProcess();
        if (_connections.Count >= Limits.MaxConnections && !MakeRoom(_connections.CountOf(process)))
        {
            socket.Dispose();
            return;
        }

        HttpConnection? connection = null;
        try
        {
            connection = _connections.Add(process, (key, caller) => new HttpConnection(this, socket, key, caller));
            _poller.Add(socket, ConnectionEvents, connection.Key);
        }
        catch (Exception e)
        {
            InternalErrors.Caught(Place.ApiConnection, Log, e);
            if (connection is not null)
            {
                _connections.Remove(connection);
            }

            socket.Dispose();
            return;
        }

        _ = connection.RunAsync();
    }

    /// <summary>
    /// Closes a connection of who has many, at least half of what the process with most has: the one that has waited longest for a request.
    /// When none of them waits, who has few may have the place of any of them. False when there is no room to be made.
    /// </summary>
    /// <param name="had">Connections that whoever needs the room has already.</param>
    private bool MakeRoom(int had)
    {
        if (_fullReports.TryTake(_time, 1, out long suppressed))
        {
            HttpLog.ConnectionsFull(Log, Limits.MaxConnections, HttpLog.More(suppressed));
        }

        int few = _connections.MostOfOne / 2;
        while (_idlest.Count > 0 || FindIdlest(few))
        {
            (HttpConnection idlest, long since) = _idlest.Dequeue();
            if (idlest.IsWaiting && idlest.WaitingSince == since && idlest.Caller.Connections > few)
            {
                idlest.Evict();
                return true;
            }
        }

        HttpConnection? any = had < few ? _connections.Snapshot().Find(one => one.Caller.Connections > few && !one.IsEvicted) : null;
        any?.Evict();
        return any is not null;
    }

    /// <summary>Looks once for the many that will have to make room when they come faster than they go.</summary>
    private bool FindIdlest(int few)
    {
        if (Now < _findAgain)
        {
            return false;
        }

        List<HttpConnection> waiting = _connections.Snapshot();
        waiting.RemoveAll(connection => !connection.IsWaiting || connection.Caller.Connections <= few);
        (HttpConnection, long)[] idlest = [.. waiting.Select(connection => (connection, connection.WaitingSince))];
        Array.Sort(idlest, static (a, b) => a.Item2.CompareTo(b.Item2));
        foreach ((HttpConnection, long) one in idlest.Take(MaxIdlest))
        {
            _idlest.Enqueue(one);
        }

        _findAgain = _idlest.Count > 0 ? 0 : Now + Ticks(NobodyIdle);
        return _idlest.Count > 0;
    }

    private void Listen(bool on)
    {
        if (_listens != on)
        {
            _listens = on;
            _poller.Modify(_listener!.SafeHandle, on ? PollEvents.Readable : PollEvents.None, ListenerKey);
        }
    }
}
