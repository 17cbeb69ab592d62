using System.Collections.Concurrent;
using Couic.Logging.Abstractions;
using Couic.Native;

namespace Couic.Http;

/// <summary>A TLS handshake on a connection that was accepted; the thread of <see cref="Handshakes"/> owns it until it has ended.</summary>
internal sealed class Handshake(StreamSocket socket, Caller caller, TlsContext context)
{
    public StreamSocket Socket { get; } = socket;

    /// <summary>For the event loop; of it the thread of handshakes uses the id alone.</summary>
    public Caller Caller { get; } = caller;

    public TlsContext Context { get; } = context;

    /// <summary>Whether a request may follow; otherwise the socket is closed.</summary>
    public bool IsEstablished { get; set; }

    public ulong Key { get; set; }

    /// <summary>When it is given up, in timestamps.</summary>
    public long Deadline { get; set; }

    public bool IsQueued { get; set; }

    /// <summary>Whether the client got an explanation in place of a handshake, and has yet to close.</summary>
    public bool IsDismissed { get; set; }
}

/// <summary>
/// TLS handshakes, on their own thread: a signature takes as long as dozens of requests. Each has
/// <see cref="HttpLimits.HandshakeTimeout"/>; callers are served round-robin, and when too many wait, the caller with most loses its oldest.
/// A client that sends nothing costs no more than its socket.
/// </summary>
internal sealed class Handshakes : IDisposable
{
    /// <summary>Handshakes that may wait at a time. One in the middle holds some 30 KB.</summary>
    public const int MaxPending = 1_024;

    /// <summary>The same for one caller: a client that opens hundreds of connections at once is not refused.</summary>
    public const int MaxPendingPerCaller = 256;

    /// <summary>Bytes of a client's first message; the library takes 128 KB, and reserves what the message announces.</summary>
    private const int MaxHelloBytes = 16 * 1024;

    /// <summary>From the start of a record to the length of the handshake message in it (RFC 8446, 5.1 and 4).</summary>
    private const int HelloPrefix = 9;

    private const int MaxDrainReceipts = 16;
    private const PollEvents Events = PollEvents.Readable | PollEvents.Writable | PollEvents.PeerClosed | PollEvents.EdgeTriggered;

    private static ReadOnlySpan<byte> SpeaksTls =>
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 91\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"u8
        + """{"code":"bad_request","errors":{},"message":"this port speaks TLS: use https (tls = true)"}"""u8;

    private static readonly TimeSpan FailurePause = TimeSpan.FromMilliseconds(10);

    private readonly HttpServer _server;
    private readonly Poller _poller = new();
    private readonly ConcurrentQueue<Handshake> _arrived = new();
    private readonly ConcurrentQueue<Handshake> _ended = new();
    private readonly SortedDictionary<ulong, Handshake> _pending = []; // keys grow, so the oldest is the first
    private readonly Dictionary<CallerId, Line> _lines = [];
    private readonly Queue<Line> _next = new();
    private readonly RateLimit _reports = new();
    private readonly byte[] _prefix = new byte[4_096];
    private ulong _lastKey;
    private long _established;
    private long _failed;
    private long _timedOut;
    private long _nextExpiry;
    private volatile bool _isStopping;
    private bool _isStarted;

    public Handshakes(HttpServer server) => _server = server;

    /// <summary>Handshakes since the start by their ends. Thread-safe.</summary>
    public (long Established, long Failed, long TimedOut) Counts => (Volatile.Read(ref _established), Volatile.Read(ref _failed), Volatile.Read(ref _timedOut));

    public void Start()
    {
        _isStarted = true;
        new Thread(Run) { IsBackground = true, Name = "tls" }.Start();
    }

    /// <summary>Begins a handshake. For the event loop.</summary>
    public void Add(Handshake handshake)
    {
        _arrived.Enqueue(handshake);
        _poller.Wake();
    }

    /// <summary>Takes a handshake that has ended. For the event loop.</summary>
    public bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Handshake? ended) => _ended.TryDequeue(out ended);

    /// <summary>Ends all handshakes.</summary>
    public void Dispose()
    {
        _isStopping = true;
        try
        {
            _poller.Wake();
        }
        catch (ObjectDisposedException)
        {
            // The thread has noticed already.
        }

        if (!_isStarted)
        {
            _poller.Dispose();
        }
    }

    private void Run()
    {
        while (!_isStopping)
        {
            try
            {
                InternalErrors.Enter(Place.ApiHandshake);
                Iterate();
            }
            catch (Exception e)
            {
                InternalErrors.Caught(Place.ApiHandshake, _server.Log, e);
                Thread.Sleep(FailurePause);
            }
        }

        foreach (Handshake handshake in _pending.Values.Concat(_arrived).Concat(_ended))
        {
            handshake.Socket.Dispose();
        }

        _poller.Dispose();
    }

    private void Iterate()
    {
        bool isIdle = _pending.Count == 0 && _arrived.IsEmpty;
        int ready = _poller.Wait(_next.Count > 0 ? 0 : isIdle ? 1_000 : ConnectionManager.TimerMilliseconds);
        for (int i = 0; i < ready; i++)
        {
            if (_poller.Event(i, out _, out ulong key) && _pending.TryGetValue(key, out Handshake? handshake))
            {
                Enqueue(handshake);
            }
        }

        while (_arrived.TryDequeue(out Handshake? arrived))
        {
            Begin(arrived);
        }

        if (_next.TryDequeue(out Line? line))
        {
            Handshake handshake = line.Ready.Dequeue();
            if (line.Ready.Count > 0)
            {
                _next.Enqueue(line);
            }

            handshake.IsQueued = false;
            Advance(handshake);
        }

        Expire();
    }

    private void Begin(Handshake handshake)
    {
        if (_pending.Count >= MaxPending)
        {
            Line most = _lines.Values.MaxBy(line => line.Count)!;
            End(_pending.Values.First(pending => LineOf(pending) == most), "too many handshakes wait");
        }

        handshake.Key = ++_lastKey;
        handshake.Deadline = _server.Now + _server.Ticks(_server.Limits.HandshakeTimeout);
        if (!_lines.TryGetValue(handshake.Caller.Id, out Line? line))
        {
            _lines.Add(handshake.Caller.Id, line = new Line());
        }

        line.Count++;
        _pending.Add(handshake.Key, handshake);
        _poller.Add(handshake.Socket, Events, handshake.Key); // reports it at once, as it can be written to
    }

    private Line LineOf(Handshake handshake) => _lines[handshake.Caller.Id];

    private void Enqueue(Handshake handshake)
    {
        if (handshake.IsQueued)
        {
            return;
        }

        handshake.IsQueued = true;
        Line line = LineOf(handshake);
        line.Ready.Enqueue(handshake);
        if (line.Ready.Count == 1)
        {
            _next.Enqueue(line);
        }
    }

    private void Advance(Handshake handshake)
    {
        if (!_pending.ContainsKey(handshake.Key))
        {
            return; // it ended while it was queued
        }

        try
        {
            if (handshake.IsDismissed)
            {
                DropInput(handshake);
            }
            else if (handshake.Socket.Tls is not null || IsHello(handshake))
            {
                Continue(handshake);
            }
        }
        catch (Exception e)
        {
            InternalErrors.Caught(Place.ApiHandshake, _server.Log, e);
            End(handshake, "internal error");
        }
    }

    private void Continue(Handshake handshake)
    {
        TlsSession session = handshake.Socket.Tls ??= new TlsSession(handshake.Context);
        switch (session.Handshake(handshake.Socket))
        {
            case HandshakeStep.Done:
                handshake.Socket.Acknowledge(); // the end of a handshake has no answer
                handshake.IsEstablished = true;
                End(handshake, string.Empty);
                break;
            case HandshakeStep.Failed:
                End(handshake, session.Fault);
                break;
        }
    }

    /// <summary>Whether the client has begun a handshake that is worth the memory. Answers a client that speaks plain HTTP.</summary>
    private bool IsHello(Handshake handshake)
    {
        Span<byte> prefix = _prefix.AsSpan(0, HelloPrefix);
        int length = handshake.Socket.Peek(prefix);
        if (length == StreamSocket.WouldBlock)
        {
            return false;
        }

        if (length <= 0)
        {
            End(handshake, "the client closed the connection");
        }
        else if (char.IsAsciiLetterUpper((char)prefix[0]))
        {
            Dismiss(handshake);
        }
        else if (prefix[0] != 22)
        {
            End(handshake, "the client does not speak TLS");
        }
        else if (length == HelloPrefix)
        {
            int record = (prefix[3] << 8) | prefix[4], message = (prefix[6] << 16) | (prefix[7] << 8) | prefix[8];
            if (record >= 4 && prefix[5] == 1 && message <= MaxHelloBytes)
            {
                return true;
            }

            End(handshake, "malformed first message");
        }

        return false;
    }

    /// <summary>An answer that every HTTP client shows; then the client closes, or its time ends.</summary>
    private void Dismiss(Handshake handshake)
    {
        handshake.Socket.SendRaw(SpeaksTls);
        handshake.Socket.ShutdownSend();
        handshake.IsDismissed = true;
        DropInput(handshake);
    }

    private void DropInput(Handshake handshake)
    {
        for (int i = 0; i < MaxDrainReceipts; i++)
        {
            int length = handshake.Socket.ReceiveRaw(_prefix);
            if (length == StreamSocket.WouldBlock)
            {
                return;
            }

            if (length <= 0)
            {
                break;
            }
        }

        End(handshake, "the client speaks plain HTTP");
    }

    private void Expire()
    {
        long now = _server.Now;
        if (now < _nextExpiry)
        {
            return;
        }

        _nextExpiry = now + _server.Ticks(TimeSpan.FromMilliseconds(ConnectionManager.TimerMilliseconds));
        while (_pending.Count > 0 && _pending.First().Value is var oldest && now >= oldest.Deadline)
        {
            _timedOut++;
            _failed--; // End counts it
            End(oldest, oldest.IsDismissed ? "the client speaks plain HTTP" : "not complete in time");
        }
    }

    private void End(Handshake handshake, string fault)
    {
        _pending.Remove(handshake.Key);
        Line line = LineOf(handshake);
        if (--line.Count == 0)
        {
            _lines.Remove(handshake.Caller.Id);
        }

        if (handshake.IsEstablished)
        {
            _poller.Remove(handshake.Socket);
            Volatile.Write(ref _established, _established + 1);
        }
        else
        {
            handshake.Socket.Dispose();
            Volatile.Write(ref _failed, _failed + 1);
            if (_reports.TryTake(_server.Time, 1, out long suppressed))
            {
                HttpLog.HandshakeFailed(_server.Log, handshake.Caller.Id.ToString(), fault, HttpLog.More(suppressed));
            }
        }

        _ended.Enqueue(handshake);
        _server.Loop.Wake();
    }

    /// <summary>The handshakes of one caller, and those of them that are ready.</summary>
    private sealed class Line
    {
        public int Count { get; set; }

        public Queue<Handshake> Ready { get; } = new();
    }
}
