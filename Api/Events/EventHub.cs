using System.Buffers;
using System.IO.Pipelines;
using Couic.Api.Access;
using Couic.Http;
using Couic.Logging.Abstractions;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Api.Events;

/// <summary>
/// The stream of events. Changes are copied into one ring; one thread formats each once and writes it to all listeners, which
/// are cursors into the ring. So a listener that reads slowly holds no other up, and loses what the ring no longer has. Without a listener
/// there is neither ring nor thread. Thread-safe.
/// </summary>
internal sealed class EventHub : IChangeListener, IDisposable
{
    /// <summary>Events that are kept, for listeners that resume or read slowly: 6 MB.</summary>
    public const int Capacity = 65_536;

    public const int MaxListeners = 512;

    public const int MaxPerClient = 128;

    /// <summary>Windows that a listener which resumes is sent in a row.</summary>
    private const int MaxWindows = 8;

    /// <summary>Windows that are sent to all listeners before the thread pauses.</summary>
    private const int MaxRounds = 64;

    /// <summary>Between two passes: a listener is woken once for all changes of that time.</summary>
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(20), LongestPause = TimeSpan.FromMilliseconds(60);

    /// <summary>Under load the thread pauses for this many times the duration of its last pass.</summary>
    private const int PauseFactor = 4;

    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    /// <summary>How often clients are checked and states are observed while nothing happens.</summary>
    private static readonly TimeSpan CheckPeriod = TimeSpan.FromSeconds(1);

    /// <summary>How long the ring is kept after the last listener, so that it can resume.</summary>
    private static readonly TimeSpan Retention = TimeSpan.FromMinutes(10);

    private readonly Lock _gate = new();
    private readonly ClientDirectory _clients;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly string _version;
    private readonly byte[] _prefix;
    private readonly EventWindow _window;
    private readonly EventWindow _private;
    private readonly ManualResetEventSlim _wake = new(false, spinCount: 0);
    private EventListener[] _listeners = [];
    private ApiEvent[]? _ring;

    /// <summary>Number of the next event, and of the first one that the ring holds.</summary>
    private long _next = 1;
    private long _first = 1;
    private bool _isIdle;
    private bool _isListenerNew;
    private long _lost;
    private volatile bool _isCounting;
    private volatile bool _isStopped;
    private Thread? _thread;
    private int _threadId;

    /// <summary>Number of the first event that has not been sent to all listeners.</summary>
    private long _position = 1;

    public EventHub(ClientDirectory clients, TimeProvider time, DateTimeOffset started, string version, ILogger log)
    {
        _clients = clients;
        _time = time;
        _log = log;
        _version = version;
        _prefix = EventWindow.Prefix(started);
        _window = new EventWindow(_prefix);
        _private = new EventWindow(_prefix);
    }

    public int ListenerCount => Volatile.Read(ref _listeners).Length;

    /// <summary>Events since the first listener.</summary>
    public long Count => Volatile.Read(ref _next) - 1;

    /// <summary>Events that listeners lost, all added up.</summary>
    public long Lost => Volatile.Read(ref _lost);

    /// <summary>Called every second while there are listeners, for states that do not report changes. True: for the first time since there are any.</summary>
    public Action<bool>? Observe { get; set; }

    public void OnChange(in RuleEvent change)
    {
        if (_isCounting)
        {
            Add(ApiEvent.Of(change));
        }
    }

    /// <summary>Adds an event; its time is set here.</summary>
    public void Publish(in ApiEvent one)
    {
        if (_isCounting)
        {
            Add(one);
        }
    }

    /// <summary>Adds a listener. False: there are too many.</summary>
    /// <param name="after">The id of the last event that it has seen; empty to begin with the next one.</param>
    public bool TryAdd(EventListener listener, ReadOnlySpan<byte> after)
    {
        lock (_gate)
        {
            if (_listeners.Length >= MaxListeners || _listeners.Count(other => other.Client.Name == listener.Client.Name) >= MaxPerClient)
            {
                return false;
            }

            if (_ring is null)
            {
                _ring = new ApiEvent[Capacity];
                _first = _next;
            }

            _isCounting = true;
            _position = _listeners.Length == 0 ? _next : _position;
            listener.Cursor = _next;
            if (EventWindow.TryReadId(_prefix, after, out long last) && last < _next)
            {
                listener.Cursor = last + 1;
            }
            else
            {
                listener.HasUnknownLoss = !after.IsEmpty;
            }

            listener.WrittenAt = _time.GetTimestamp();
            Volatile.Write(ref _listeners, [.. _listeners, listener]);
            _isListenerNew = true;
            if (_thread is null)
            {
                _thread = new Thread(Run) { IsBackground = true, Name = "events" };
                _thread.Start();
            }
        }

        Wake();
        return true;
    }

    /// <summary>Writes events to a listener until its client leaves.</summary>
    public async ValueTask ServeAsync(EventListener listener, PipeWriter body)
    {
        Exchange exchange = listener.Exchange;
        while (true)
        {
            await exchange.WaitForSignalAsync();
            if (exchange.HasClientLeft || listener.IsRevoked)
            {
                return;
            }

            // On the event loop's thread, after an event of the client or a slow send, nothing is written: the next pass does that.
            for (int i = 0; i < MaxWindows && Environment.CurrentManagedThreadId == _threadId && TryWrite(listener, body); i++)
            {
                listener.IsSending = true;
                bool hasLeft = (await body.FlushAsync()).IsCompleted;
                listener.IsSending = false;
                if (hasLeft)
                {
                    return;
                }
            }

            await body.CompleteAsync();
        }
    }

    public void Remove(EventListener listener)
    {
        lock (_gate)
        {
            Volatile.Write(ref _listeners, Array.FindAll(_listeners, other => other != listener));
        }
    }

    /// <summary>Ends the thread. The server ends the connections.</summary>
    public void Dispose()
    {
        _isStopped = true;
        _wake.Set();
        _thread?.Join(TimeSpan.FromSeconds(1));
    }

    private void Add(ApiEvent one)
    {
        one.Time = _time.GetUtcNow().ToUnixTimeMilliseconds();
        bool wakes;
        lock (_gate)
        {
            if (_ring is { } ring)
            {
                ring[_next % Capacity] = one;
            }
            else
            {
                _first = _next + 1;
            }

            _next++;
            _first = Math.Max(_first, _next - Capacity);
            wakes = _isIdle && _listeners.Length > 0;
            _isIdle &= !wakes;
        }

        if (wakes)
        {
            _wake.Set();
        }
    }

    private void Wake()
    {
        lock (_gate)
        {
            _isIdle = false;
        }

        _wake.Set();
    }

    private void Run()
    {
        _threadId = Environment.CurrentManagedThreadId;
        long? observed = null;
        while (!_isStopped)
        {
            long start = _time.GetTimestamp();
            bool isBehind = true;
            InternalErrors.Run(Place.Events, _log, () => isBehind = Pass());
            if (ListenerCount == 0)
            {
                observed = null;
            }
            else if (observed is not { } last || _time.GetElapsedTime(last) >= CheckPeriod)
            {
                InternalErrors.Run(Place.Events, _log, () => Observe?.Invoke(observed is null));
                observed = start;
            }

            TimeSpan pause = _time.GetElapsedTime(start) * PauseFactor;
            Thread.Sleep(pause < ShortestPause ? ShortestPause : pause > LongestPause ? LongestPause : pause);
            if (!isBehind)
            {
                WaitForEvents();
            }
        }
    }

    /// <summary>Waits for an event, for a listener, or until something else is due.</summary>
    private void WaitForEvents()
    {
        bool hasListeners;
        lock (_gate)
        {
            hasListeners = _listeners.Length > 0;
            if (_isListenerNew || (_next != _position && hasListeners))
            {
                return;
            }

            _isIdle = true;
            _wake.Reset();
            if (_isStopped)
            {
                return;
            }
        }

        if (!_wake.Wait(hasListeners ? CheckPeriod : Retention) && !hasListeners)
        {
            Forget();
        }
    }

    /// <summary>Releases the ring, unless a listener has come. Events are still counted, so that one that resumes learns how many it lost.</summary>
    private void Forget()
    {
        lock (_gate)
        {
            if (_listeners.Length == 0)
            {
                _ring = null;
                _first = _next;
                _window.Release();
                _private.Release();
            }
        }
    }

    /// <summary>Has all listeners written what they have not seen. True when one of them has not caught up.</summary>
    private bool Pass()
    {
        bool isBehind = false;
        lock (_gate)
        {
            _isListenerNew = false;
        }

        bool hasMore = ListenerCount > 0;
        for (int round = 0; hasMore && round < MaxRounds && !_isStopped; round++)
        {
            hasMore = Load(_window, ref _position);
            isBehind = hasMore;
            foreach (EventListener listener in Volatile.Read(ref _listeners))
            {
                listener.IsRevoked |= !IsInForce(listener.Client);
                if (!listener.IsSending && (listener.IsRevoked || HasToWrite(listener)))
                {
                    listener.Exchange.Signal(); // its handler writes on this thread
                }

                isBehind |= listener.IsSending || !listener.IsGreeted || listener.Cursor < _window.End;
            }
        }

        return isBehind;
    }

    private bool HasToWrite(EventListener listener) => !listener.IsGreeted || listener.Cursor < _window.End || IsKeepAliveDue(listener);

    private bool IsKeepAliveDue(EventListener listener) => _time.GetElapsedTime(listener.WrittenAt) >= KeepAlive;

    /// <summary>A client that was deleted, or whose token or group was changed, hears no more.</summary>
    private bool IsInForce(Client client) =>
        _clients.TryGet(client.Name, out Client? now) && (now == client || (now.Token == client.Token && now.Group == client.Group));

    /// <summary>Takes the events from a number on, or from the first one that is there. Returns whether there are more.</summary>
    private bool Load(EventWindow window, ref long from)
    {
        bool hasMore;
        lock (_gate)
        {
            from = Math.Max(from, _first);
            int count = _ring is null ? 0 : (int)Math.Min(EventWindow.Capacity, _next - from);
            Span<ApiEvent> events = window.Begin(from, count);
            int start = (int)(from % Capacity);
            int head = Math.Min(count, Capacity - start);
            _ring.AsSpan(start, head).CopyTo(events);
            _ring.AsSpan(0, count - head).CopyTo(events[head..]);
            from += count;
            hasMore = from < _next;
        }

        window.Format();
        return hasMore;
    }

    /// <summary>Writes what is due to a listener, up to one window. False when that is nothing.</summary>
    private bool TryWrite(EventListener listener, PipeWriter body)
    {
        bool isDue = IsKeepAliveDue(listener);
        if (listener.IsGreeted && listener.Cursor >= _window.End && !isDue)
        {
            return false;
        }

        long lost = _window.Contains(listener.Cursor) ? 0 : Math.Max(0, Volatile.Read(ref _first) - listener.Cursor);
        listener.Cursor += lost;
        Greet(listener, body);
        if (lost > 0 || listener.HasUnknownLoss)
        {
            WriteLoss(listener, body, listener.HasUnknownLoss ? null : lost);
            listener.HasUnknownLoss = false;
            Interlocked.Add(ref _lost, lost);
        }

        EventWindow window = _window.Contains(listener.Cursor) ? _window : _private;
        if (!window.Contains(listener.Cursor))
        {
            long from = listener.Cursor;
            Load(window, ref from);
        }

        if (window.Contains(listener.Cursor))
        {
            window.Write(body, listener.Cursor, listener.Filter, listener.IsLines);
            listener.Cursor = window.End;
        }

        if (isDue && body.UnflushedBytes == 0)
        {
            WriteKeepAlive(listener, body);
        }

        if (body.UnflushedBytes > 0)
        {
            listener.WrittenAt = _time.GetTimestamp();
        }

        return true;
    }

    /// <summary>Where it begins: the id lets a client resume that has seen no event yet.</summary>
    private void Greet(EventListener listener, PipeWriter body)
    {
        if (listener.IsGreeted)
        {
            return;
        }

        listener.IsGreeted = true;
        BeginNotice(listener, body, "connected"u8);
        body.Raw(",\"version\":"u8);
        body.String(_version);
        body.Raw(",\"types\":["u8);
        bool isFirst = true;
        foreach (EventType type in EventWords.Types.Where(listener.Filter.Has))
        {
            body.Raw(isFirst ? "\""u8 : ",\""u8);
            body.Raw(type.Word());
            body.Raw("\""u8);
            isFirst = false;
        }

        body.Raw("]"u8);
        EndNotice(listener, body);
    }

    /// <param name="count">Events that it did not get, before its filter; null when another daemon had them.</param>
    private void WriteLoss(EventListener listener, PipeWriter body, long? count)
    {
        BeginNotice(listener, body, "lost"u8);
        body.Raw(",\"lost\":"u8);
        if (count is { } lost)
        {
            body.Number(lost);
        }
        else
        {
            body.Raw("null"u8);
        }

        EndNotice(listener, body);
    }

    private void BeginNotice(EventListener listener, PipeWriter body, ReadOnlySpan<byte> type)
    {
        if (!listener.IsLines)
        {
            body.Raw("id: "u8);
            _window.WriteId(body, listener.Cursor - 1);
            body.Raw("\nevent: "u8);
            body.Raw(type);
            body.Raw("\ndata: "u8);
        }

        body.Raw("{\"id\":\""u8);
        _window.WriteId(body, listener.Cursor - 1);
        body.Raw("\",\"type\":\""u8);
        body.Raw(type);
        body.Raw("\""u8);
    }

    private static void EndNotice(EventListener listener, PipeWriter body) => body.Raw(listener.IsLines ? "}\n"u8 : "}\n\n"u8);

    /// <summary>A comment with the present id, or an empty line.</summary>
    private void WriteKeepAlive(EventListener listener, PipeWriter body)
    {
        if (listener.IsLines)
        {
            body.Raw("\n"u8);
            return;
        }

        body.Raw(": keep-alive\nid: "u8);
        _window.WriteId(body, listener.Cursor - 1);
        body.Raw("\n\n"u8);
    }
}
