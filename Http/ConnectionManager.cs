using System.Net;
using System.Net.Sockets;
using System.Numerics;
using System.Runtime.InteropServices;
using Couic.Logging.Abstractions;
using Couic.Native;

namespace Couic.Http;

/// <summary>
/// Accepts connections and ends them: at their deadlines, when others need their place (<see cref="HttpLimits.MaxConnections"/>), or when
/// waiting connections exceed the memory budget. For the event loop's thread; counts may be read by others.
/// </summary>
internal sealed class ConnectionManager(HttpServer server)
{
    /// <summary>How often deadlines are checked; a time-out may be late by this much.</summary>
    public const int TimerMilliseconds = 250;

    /// <summary>Descriptors that are not connections: maps, logs, peers, files.</summary>
    private const int OtherDescriptors = 256;

    /// <summary>
    /// Connections to evict when the process is out of descriptors, as one would be used at once. Also the connection count assumed for the
    /// client that is not accepted yet, and so not identified.
    /// </summary>
    private const int EvictionsOnFdExhaustion = 32;

    /// <summary>Idle connections that one scan collects for eviction, one after the other.</summary>
    private const int MaxIdleCandidates = 256;

    /// <summary>Bits of a key that are the index of a slot; above them is a number that differs for each user of the slot.</summary>
    private const int SlotBits = 24;

    /// <summary>How long a scan that found no idle connection is not repeated.</summary>
    private static readonly TimeSpan IdleScanCooldown = TimeSpan.FromMilliseconds(50);

    /// <summary>How long connections are accepted in a row: each is served at once, and others wait for all of them.</summary>
    private static readonly TimeSpan AcceptSlice = TimeSpan.FromMicroseconds(250);

    private readonly Stack<int> _freeSlots = new();
    private readonly Dictionary<CallerId, Caller> _callers = [];
    private readonly Queue<(Connection Connection, long Since)> _idleCandidates = new();
    private readonly List<Connection> _snapshot = [];
    private readonly List<Connection> _reserving = [];
    private readonly List<long> _reservedSince = [];
    private readonly List<Connection> _evicted = [];
    private readonly RateLimit _fullReports = new();
    private readonly RateLimit _acceptReports = new();
    private readonly RateLimit _memoryReports = new();
    private readonly RateLimit _addressReports = new();
    private Connection?[] _slots = new Connection?[64];
    private int _usedSlots;
    private ulong _opened;
    private int _count;
    private IReadOnlyList<Socket> _listeners = [];
    private uint _readyListeners;
    private bool _isAccepting = true;
    private long _acceptAgain;
    private long _scanAgain;
    private long _nextTimers;

    public int Count => Volatile.Read(ref _count);

    /// <summary>Connections that were ever opened.</summary>
    public long Opened => (long)Volatile.Read(ref _opened);

    /// <summary>Whether no deadline has to be checked.</summary>
    public bool IsIdle => _count == 0 && _isAccepting;

    /// <summary>Notes that clients wait to be accepted.</summary>
    public void OnListenerReady(int index) => _readyListeners |= 1u << index;

    public void Listen(IReadOnlyList<Socket> listeners)
    {
        _listeners = listeners;
        foreach (Socket listener in listeners)
        {
            listener.Blocking = false;
        }

        Descriptors.Reserve(listeners[0].SafeHandle, server.Limits.MaxConnections + OtherDescriptors + (server.Tls is null ? 0 : Handshakes.MaxPending));
    }

    public void StopListening()
    {
        foreach (Socket listener in _listeners)
        {
            listener.Dispose();
        }
    }

    /// <summary>The connection with a key; null when it is closed, even if its slot is in use again.</summary>
    public Connection? Find(ulong key)
    {
        int slot = SlotOf(key);
        Connection? connection = slot < _slots.Length ? _slots[slot] : null;
        return connection?.Key == key ? connection : null;
    }

    public void Remove(Connection connection)
    {
        int slot = SlotOf(connection.Key);
        if (_slots[slot] == connection)
        {
            _slots[slot] = null;
            _freeSlots.Push(slot);
            Volatile.Write(ref _count, _count - 1);
            Leave(connection.Caller);
        }
    }

    private void Leave(Caller caller)
    {
        if (--caller.Connections == 0)
        {
            _callers.Remove(caller.Id);
        }
    }

    public void Accept()
    {
        try
        {
            InternalErrors.Enter(Place.ApiAccept);
            AcceptPendingConnections();
        }
        catch (Exception e)
        {
            InternalErrors.Caught(Place.ApiAccept, server.Log, e);
            PauseAccepting();
        }
    }

    /// <summary>Evicts what exceeds the memory budget, and every <see cref="TimerMilliseconds"/> checks all deadlines.</summary>
    public void RunTimers(long now)
    {
        if (server.Budget.TakeOver())
        {
            EvictOverBudget();
        }

        if (now < _nextTimers && !server.IsStopping)
        {
            return;
        }

        ForgetEvicted();
        _nextTimers = now + server.Ticks(TimeSpan.FromMilliseconds(TimerMilliseconds));
        if (server.IsStopping)
        {
            StopListening(); // a client that connects now is refused, instead of waiting in vain
        }
        else if (!_isAccepting && now >= _acceptAgain)
        {
            SetAcceptEnabled(true);
        }

        foreach (Connection connection in Snapshot())
        {
            if (server.IsEnding || (server.IsStopping && (connection.IsWaiting || connection.IsEndless)))
            {
                connection.Expire();
            }
            else
            {
                connection.TrimIdleBuffers(now - server.Ticks(TimeSpan.FromMilliseconds(TimerMilliseconds)));
                connection.CheckDeadline(now);
            }
        }
    }

    private void AcceptPendingConnections()
    {
        while (_readyListeners != 0)
        {
            int index = BitOperations.TrailingZeroCount(_readyListeners);
            _readyListeners &= _readyListeners - 1;
            AcceptFrom(_listeners[index].SafeHandle);
        }
    }

    private void AcceptFrom(SafeHandle listener)
    {
        long end = server.Now + server.Ticks(AcceptSlice);
        while (!server.IsStopping && server.Now < end)
        {
            int error = StreamSocket.Accept(listener, out StreamSocket? socket);
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
                OnExhausted(error);
                return;
            }
        }
    }

    private void OnExhausted(int error)
    {
        bool lacksDescriptors = error is StreamSocket.ProcessFull or StreamSocket.SystemFull;
        for (int k = 0; lacksDescriptors && k < EvictionsOnFdExhaustion && EvictIdlest(EvictionsOnFdExhaustion); k++)
        {
        }

        PauseAccepting();
        if (_acceptReports.TryTake(server.Time, 1, out _))
        {
            HttpLog.AcceptFailed(server.Log, -error);
        }
    }

    /// <summary>The client stays in the backlog and the listener ready, so the loop would spin.</summary>
    private void PauseAccepting()
    {
        SetAcceptEnabled(false);
        _acceptAgain = server.Now + (server.Ticks(TimeSpan.FromMilliseconds(TimerMilliseconds)) / 2);
    }

    private void SetAcceptEnabled(bool enabled)
    {
        if (_isAccepting != enabled)
        {
            _isAccepting = enabled;
            for (int i = 0; i < _listeners.Count; i++)
            {
                server.Loop.WatchListener(i, _listeners[i].SafeHandle, enabled);
            }
        }
    }

    private void Open(StreamSocket socket)
    {
        CallerId id = socket.PeerAddress is { } address ? CallerId.Of(address) : CallerId.OfProcess(socket.PeerProcess());
        Caller? known = _callers.GetValueOrDefault(id);
        int had = known?.Connections ?? 0;
        if (RefusalOf(socket.PeerAddress, had, known?.Handshakes ?? 0) is { } refusal)
        {
            socket.Dispose();
            if (_addressReports.TryTake(server.Time, 1, out long suppressed))
            {
                HttpLog.AddressRefused(server.Log, id.ToString(), refusal, HttpLog.More(suppressed));
            }

            return;
        }

        if (socket.PeerAddress is not null && server.Tls is { } context)
        {
            Caller secured = Join(id);
            secured.Handshakes++;
            server.Handshakes.Add(new Handshake(socket, secured, context));
        }
        else
        {
            Serve(socket, Join(id), had);
        }
    }

    /// <summary>A handshake has ended: serves the connection, or gives its place back.</summary>
    public void OnHandshakeEnded(Handshake handshake)
    {
        handshake.Caller.Handshakes--;
        if (handshake.IsEstablished && !server.IsStopping)
        {
            Serve(handshake.Socket, handshake.Caller, handshake.Caller.Connections - 1);
        }
        else
        {
            handshake.Socket.Dispose();
            Leave(handshake.Caller);
        }
    }

    /// <param name="had">Other connections of the caller.</param>
    private void Serve(StreamSocket socket, Caller caller, int had)
    {
        Connection? connection = null;
        try
        {
            if (_count >= server.Limits.MaxConnections && !EvictIdlest(had))
            {
                socket.Dispose();
                Leave(caller);
                return;
            }

            connection = Add(socket, caller);
            server.Loop.Add(connection);
        }
        catch (Exception e)
        {
            InternalErrors.Caught(Place.ApiConnection, server.Log, e);
            if (connection is not null)
            {
                Remove(connection);
            }
            else
            {
                Leave(caller);
            }

            socket.Dispose();
            return;
        }

        connection.Start();
    }

    private Caller Join(CallerId id)
    {
        if (!_callers.TryGetValue(id, out Caller? caller))
        {
            _callers.Add(id, caller = new Caller(id));
        }

        caller.Connections++;
        return caller;
    }

    /// <summary>Why an address may not connect; null: it may, or it is a process of this machine.</summary>
    private string? RefusalOf(IPAddress? address, int had, int handshakes)
    {
        if (address is null)
        {
            return null;
        }

        return server.Allowed is { } networks && !IsIn(networks, address) ? "[server] allow does not name it"
            : had >= server.Limits.MaxConnectionsPerAddress ? $"{had} connections from there are open ([limits] max_connections_per_address)"
            : handshakes >= Handshakes.MaxPendingPerCaller ? $"{handshakes} TLS handshakes from there have not ended"
            : null;
    }

    private static bool IsIn(IReadOnlyList<IPNetwork> networks, IPAddress address)
    {
        foreach (IPNetwork network in networks)
        {
            if (network.Contains(address))
            {
                return true;
            }
        }

        return false;
    }

    private Connection Add(StreamSocket socket, Caller caller)
    {
        if (!_freeSlots.TryPop(out int slot))
        {
            slot = _usedSlots++;
            if (slot == _slots.Length)
            {
                Array.Resize(ref _slots, slot * 2);
            }
        }

        Volatile.Write(ref _opened, _opened + 1);
        Volatile.Write(ref _count, _count + 1);
        return _slots[slot] = new Connection(server, socket, (_opened << SlotBits) | (uint)slot, caller);
    }

    /// <summary>
    /// Evicts the longest-idle connection of a caller that has many: more than half of what the caller with most has. If none of them is
    /// idle, a client with few connections gets the place of a busy one. Returns false when there is nothing to evict.
    /// </summary>
    /// <param name="had">Connections that the client has already.</param>
    private bool EvictIdlest(int had)
    {
        if (_fullReports.TryTake(server.Time, 1, out long suppressed))
        {
            HttpLog.ConnectionsFull(server.Log, server.Limits.MaxConnections, HttpLog.More(suppressed));
        }

        int most = 0;
        foreach (Caller caller in _callers.Values)
        {
            most = Math.Max(most, caller.Connections);
        }

        int few = most / 2;
        while (_idleCandidates.Count > 0 || CollectIdleCandidates(few))
        {
            (Connection idlest, long since) = _idleCandidates.Dequeue();
            if (idlest.IsWaiting && idlest.WaitingSince == since && idlest.Caller.Connections > few)
            {
                idlest.Evict();
                return true;
            }
        }

        Connection? any = had < few ? Snapshot().Find(one => one.Caller.Connections > few && !one.IsEvicted) : null;
        any?.Evict();
        return any is not null;
    }

    private bool CollectIdleCandidates(int few)
    {
        if (server.Now < _scanAgain)
        {
            return false;
        }

        List<Connection> waiting = Snapshot();
        waiting.RemoveAll(connection => !connection.IsWaiting || connection.Caller.Connections <= few);
        (Connection, long)[] idlest = [.. waiting.Select(connection => (connection, connection.WaitingSince))];
        Array.Sort(idlest, static (a, b) => a.Item2.CompareTo(b.Item2));
        foreach ((Connection, long) one in idlest.Take(MaxIdleCandidates))
        {
            _idleCandidates.Enqueue(one);
        }

        _scanAgain = _idleCandidates.Count > 0 ? 0 : server.Now + server.Ticks(IdleScanCooldown);
        return _idleCandidates.Count > 0;
    }

    /// <summary>
    /// Evicts the longest-waiting connections with reserved memory until a tenth of the budget is free. What evicted handlers have yet to
    /// release counts as free: otherwise all connections would be scanned again until they have.
    /// </summary>
    private void EvictOverBudget()
    {
        ForgetEvicted();
        long excess = server.Budget.Excess;
        foreach (Connection connection in _evicted)
        {
            excess -= connection.ReservedBytes;
        }

        if (excess <= 0)
        {
            return;
        }

        foreach (Connection connection in Snapshot())
        {
            if (connection is { ReservedBytes: > 0, IsEvicted: false })
            {
                _reserving.Add(connection);
                _reservedSince.Add(connection.ReservedSince);
            }
        }

        CollectionsMarshal.AsSpan(_reservedSince).Sort(CollectionsMarshal.AsSpan(_reserving));
        foreach (Connection connection in _reserving)
        {
            if (excess <= 0)
            {
                break;
            }

            excess -= connection.ReservedBytes;
            connection.Evict();
            _evicted.Add(connection);
        }

        _reserving.Clear();
        _reservedSince.Clear();
        if (_memoryReports.TryTake(server.Time, 1, out long suppressed))
        {
            HttpLog.MemoryFull(server.Log, server.Budget.Limit, HttpLog.More(suppressed));
        }
    }

    private void ForgetEvicted() => _evicted.RemoveAll(static connection => connection.ReservedBytes == 0);

    /// <summary>All connections, in a list that the next call uses again.</summary>
    private List<Connection> Snapshot()
    {
        _snapshot.Clear();
        for (int i = 0; i < _usedSlots; i++)
        {
            if (_slots[i] is { } connection)
            {
                _snapshot.Add(connection);
            }
        }

        return _snapshot;
    }

    private static int SlotOf(ulong key) => (int)(key & ((1 << SlotBits) - 1));
}
