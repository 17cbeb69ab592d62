using System.Net;
using System.Runtime.CompilerServices;
using Couic.Http.Parsing;
using Couic.Logging.Abstractions;
using Couic.Native;

namespace Couic.Http;

/// <summary>What a connection does, or waits for.</summary>
internal enum ConnectionState : byte
{
    /// <summary>Waits for a request, and has nothing of it.</summary>
    Idle,

    /// <summary>Waits for the rest of a head.</summary>
    ReadingHead,

    /// <summary>Its responses are sent when the batch is complete.</summary>
    Batched,

    /// <summary>A handler has not finished: it is offloaded, or waits for its client or in a queue. It owns the connection.</summary>
    Executing,

    /// <summary>The client has to take responses before anything else is done.</summary>
    Writing,

    /// <summary>Has more requests, and waits until other connections have been served.</summary>
    Yielding,

    /// <summary>Has sent its last response, and drops what the client still sends.</summary>
    Draining,

    Closed,
}

/// <summary>
/// One connection, a state machine: <see cref="Advance"/> runs until it has to wait. It belongs to the event loop's thread, and in the state
/// <see cref="ConnectionState.Executing"/> to the handler's task, whose end posts it back to the loop. What the loop has to say to a handler
/// are <see cref="Signals"/>.
/// </summary>
internal sealed partial class Connection
{
    private const int FlushAt = 48 * 1024;

    /// <summary>Requests that one connection may have handled before others are served; a receipt counts as some.</summary>
    private const int MaxWork = 64, ReceiptWork = 8;

    /// <summary>Receipts of a connection that is draining before others are served.</summary>
    private const int MaxDrainReceipts = 8;

    /// <summary>
    /// What a queued request keeps beside its buffers, about: its exchange, its handler and their waits. Ten thousand of them took 40 MB, and
    /// the garbage collector's scan of them delayed others.
    /// </summary>
    private const int QueuedRequestBytes = 4 * 1024;

    /// <summary>How long a request may compute before it lets queued ones run.</summary>
    private static readonly TimeSpan WorkerSlice = TimeSpan.FromMilliseconds(50);

    /// <summary>How long a client may block the holder of a semaphore, all its waits added up, while others are queued.</summary>
    private static readonly TimeSpan HolderTimeout = TimeSpan.FromSeconds(1);

    private readonly HttpServer _server;
    private readonly RequestReader _reader;
    private readonly ResponseWriter _writer;
    private readonly SingleWaiterEvent _clientEvent = new();
    private ConnectionTimeouts _timeouts = new();
    private volatile Signals _signals;
    private volatile bool _isHandled;
    private volatile FairSemaphore? _held;
    private volatile TaskCompletionSource<bool>? _waiter;
    private ConnectionState _state = ConnectionState.Idle;
    private Step _afterWriting;
    private Exchange? _exchange;
    private ValueTask _handling;
    private Action? _onHandled;
    private FairSemaphore? _worker;
    private long _workingSince;

    /// <summary>Requests and receipts since others were served.</summary>
    private int _handled;

    /// <summary>Requests in the batch.</summary>
    private int _batched;
    private int _drainReceipts;
    private int _reservedBytes;
    private long _reservedSince;
    private long _bodyStart;
    private long _bodyReceived;
    private long _sendStart;
    private long _sendProgress;
    private long _streamLeft;
    private bool _streamCloses;
    private volatile bool _isEndless;
    private bool _retainsBuffers;
    private bool _hasServed;
    private bool _isHeadTimed;
    private bool _sentContinue;
    private bool _holdsLargeBody;
    private bool _isGone;
    private bool _mustDrain;
    private bool _isBodyDropped;

    public Connection(HttpServer server, StreamSocket socket, ulong key, Caller caller)
    {
        _server = server;
        Socket = socket;
        Key = key;
        Caller = caller;
        _reader = new RequestReader(socket);
        _writer = new ResponseWriter(socket, server.Date);
    }

    /// <summary>What the event loop has noticed about the client, or wants of the connection. Set by the loop alone.</summary>
    [Flags]
    private enum Signals : byte
    {
        None = 0,

        /// <summary>The client sends no more.</summary>
        HalfClosed = 1,

        /// <summary>The client has closed both directions.</summary>
        PeerClosed = 2,

        /// <summary>Whatever it waits for has failed.</summary>
        Expired = 4,

        /// <summary>Others need its place or its memory.</summary>
        Evicted = 8,
    }

    private enum Step : byte
    {
        /// <summary>Nothing: it waits, or it is closed.</summary>
        None,

        /// <summary>Leave the state in which it waited.</summary>
        Resume,

        /// <summary>No request came in time.</summary>
        ExpireHead,

        /// <summary>Handle the requests that have been received.</summary>
        Serve,

        /// <summary>Receive more.</summary>
        Receive,

        /// <summary>Send the responses first, then serve.</summary>
        Write,

        /// <summary>Let other connections be served.</summary>
        Yield,

        /// <summary>End, after the responses.</summary>
        End,
    }

    public StreamSocket Socket { get; }

    /// <summary>Names it in the poller.</summary>
    public ulong Key { get; }

    public Caller Caller { get; }

    /// <summary>The address of the client; null on the Unix socket.</summary>
    public IPAddress? Address => Socket.PeerAddress;

    /// <summary>Events that it has not seen: it is queued by the scheduler.</summary>
    public PollEvents Pending { get; set; }

    /// <summary>The next one in the queue of its caller.</summary>
    public Connection? NextReady { get; set; }

    public HttpLimits Limits => _server.Limits;

    public RequestHead Head => _reader.Head;

    public InputBuffer Input => _reader.Input;

    public bool IsBodyComplete => _reader.IsBodyComplete;

    /// <summary>The buffer of responses, for one that is streamed.</summary>
    public OutputBuffer Output => _writer.Output;

    /// <summary>Whether it waits for its client between two requests, and may be closed.</summary>
    public bool IsWaiting => _state is ConnectionState.Idle or ConnectionState.ReadingHead or ConnectionState.Draining;

    /// <summary>When it last began to wait for a request, in timestamps.</summary>
    public long WaitingSince { get; private set; }

    public bool IsEvicted => Has(Signals.Evicted);

    /// <summary>Whether its response has no end: it ends when the server stops.</summary>
    public bool IsEndless => _isEndless;

    /// <summary>Memory that is reserved while it waits; 0 while it does not.</summary>
    public int ReservedBytes => Volatile.Read(ref _reservedBytes);

    /// <summary>Since when, in timestamps.</summary>
    public long ReservedSince => Volatile.Read(ref _reservedSince);

    /// <summary>Set while a handler is away from the event loop: its waits continue on a pool thread.</summary>
    public bool IsOffloaded { get; set; }

    /// <summary>Whether others wait to compute, it has done so for long, and waiting would cost it nothing, as there is memory for that.</summary>
    public bool ShouldYield =>
        _worker is { } worker && _server.Now - _workingSince > _server.Ticks(WorkerSlice) && _server.Budget.IsHalfFree && worker.HasWaiters;

    private bool HasResponses => _batched > 0 || !_writer.IsEmpty;

    private bool NeedsFlush => _writer.Output.Length >= FlushAt || _server.Loop.Batch.ShouldAnswerFirst(_batched);

    private int HeldBytes => Input.Capacity + _writer.Output.Capacity + (_exchange?.HeldBytes ?? 0);

    private bool Has(Signals signal) => (_signals & signal) != 0;

    // The event loop's side.

    /// <summary>Receives and serves what has come with the connection.</summary>
    public void Start()
    {
        Head.Reset();
        Advance(Step.Receive);
    }

    /// <summary>Receives, if it waits for a request, what <see cref="OnReady"/> is going to serve.</summary>
    public void Prefetch()
    {
        if (_state == ConnectionState.Idle && (Pending & PollEvents.Readable) != 0)
        {
            try
            {
                _reader.Prefetch();
            }
            catch (Exception e)
            {
                Abandon(e);
            }
        }
    }

    /// <summary>Runs with the events that accumulated since it was last scheduled.</summary>
    public void OnReady()
    {
        PollEvents events = Pending;
        Pending = PollEvents.None;
        if ((events & (PollEvents.HangUp | PollEvents.Error | PollEvents.PeerClosed)) != 0)
        {
            _signals |= (events & (PollEvents.HangUp | PollEvents.Error)) != 0 ? Signals.HalfClosed | Signals.PeerClosed : Signals.HalfClosed;
        }

        if (_state == ConnectionState.Executing && !_isHandled)
        {
            _clientEvent.Signal();
            return;
        }

        if ((events & ~PollEvents.Writable) != 0)
        {
            _reader.IsDrained = false;
        }

        Advance(Step.Resume);
    }

    /// <summary>The requests of the batch are executed: sends the responses. Mostly that is all, and the connection is idle.</summary>
    public void OnBatchCompleted()
    {
        if (_state == ConnectionState.Batched)
        {
            Advance(Step.Receive);
        }
    }

    /// <summary>Expires it when its deadline has passed, or when others wait for what it holds.</summary>
    public void CheckDeadline(long now)
    {
        if (_timeouts.HasExpired(now) || IsBlockingOthers(now))
        {
            Expire();
        }
    }

    /// <summary>Releases the buffers that it has retained, if it has been idle since then.</summary>
    public void TrimIdleBuffers(long since)
    {
        if (_retainsBuffers && _state == ConnectionState.Idle && WaitingSince < since)
        {
            EndRetention();
            Input.Release();
            _writer.Release();
        }
    }

    /// <summary>Ends it in favour of another connection.</summary>
    public void Evict()
    {
        _signals |= Signals.Evicted;
        _waiter?.TrySetResult(false);
        Expire();
    }

    /// <summary>Makes what it waits for fail.</summary>
    public void Expire()
    {
        _signals |= Signals.Expired;
        switch (_state)
        {
            case ConnectionState.Executing:
                _clientEvent.Signal();
                break;
            case ConnectionState.Idle or ConnectionState.ReadingHead:
                Advance(Step.ExpireHead);
                break;
            case ConnectionState.Writing or ConnectionState.Yielding or ConnectionState.Draining:
                Close();
                break;
        }
    }

    /// <summary>Ends it after an exception, in whatever state that has left it; nothing more is sent.</summary>
    public void Abandon(Exception fault)
    {
        InternalErrors.Caught(Place.ApiConnection, _server.Log, fault);
        _isGone = true;
        if (_state == ConnectionState.Executing && !_isHandled)
        {
            _signals |= Signals.Expired | Signals.PeerClosed;
            _clientEvent.Signal();
        }
        else
        {
            Close();
        }
    }

    /// <summary>Leaves the state in which it waited. Returns what to do now that something has happened.</summary>
    private Step Resume()
    {
        switch (_state)
        {
            case ConnectionState.Idle or ConnectionState.ReadingHead:
                Unreserve();
                _handled = 0;
                return Step.Receive;
            case ConnectionState.Executing:
                return OnHandled();
            case ConnectionState.Writing:
                return ContinueWriting();
            case ConnectionState.Yielding:
                Unreserve();
                _reader.IsDrained = false;
                _handled = 0;
                return Step.Serve;
            case ConnectionState.Draining:
                return DropInput();
            default:
                return Step.None; // Batched: what came in is received after the responses
        }
    }

    /// <summary>Runs until it has to wait: for the client, a handler, the batch, or other connections. A bug ends this connection alone.</summary>
    private void Advance(Step step)
    {
        try
        {
            while (step != Step.None)
            {
                step = Take(step);
            }
        }
        catch (Exception e)
        {
            Abandon(e);
        }
    }

    private Step Take(Step step)
    {
        switch (step)
        {
            case Step.Resume:
                return Resume();
            case Step.ExpireHead:
                return ExpireHead();
            case Step.Serve:
                return ServeInput();
            case Step.Receive when HasResponses && _state != ConnectionState.Batched:
                _state = ConnectionState.Batched;
                _server.Loop.Batch.EnqueueSend(this);
                return Step.None;
        }

        if (!TryFlush(step))
        {
            return Step.None;
        }

        return step switch
        {
            Step.Receive => Receive(),
            Step.Yield => Yield(),
            Step.End => Drain(),
            _ => ServeInput(),
        };
    }

    /// <summary>Handles the requests that are there, up to one for which it has to wait.</summary>
    private Step ServeInput()
    {
        _state = ConnectionState.ReadingHead;
        if (NeedsFlush)
        {
            return Step.Write;
        }

        while (_handled < MaxWork)
        {
            if (Input.IsEmpty)
            {
                return Step.Receive;
            }

            if (!RequestParser.TryParse(Input.Request, Limits, Head, out ParseFault fault))
            {
                return fault == ParseFault.None ? Step.Receive : Refuse(fault);
            }

            if (!Head.HasHost && Address is not null && !Head.IsHttp10)
            {
                return Refuse(ParseFault.HostMissing);
            }

            _handled++;
            Step step = Execute();
            if (step != Step.Serve)
            {
                return step;
            }

            if (NeedsFlush)
            {
                return Step.Write;
            }
        }

        return Step.Yield;
    }

    /// <summary>Receives the first or further bytes of a head.</summary>
    private Step Receive()
    {
        int n = _reader.IsDrained ? StreamSocket.WouldBlock : _reader.Receive(Has(Signals.HalfClosed));
        if (n > 0)
        {
            _handled += ReceiptWork;
            return Step.Serve;
        }

        return n == StreamSocket.WouldBlock ? BeginWait() : Close(); // a request that broke off gets no response
    }

    /// <summary>
    /// Waits for a request: releases memory, unless the connection is idle and may retain its buffers, reserves what stays, and sets the
    /// deadline.
    /// </summary>
    private Step BeginWait()
    {
        bool isIdle = Input.IsEmpty && _hasServed;
        if (!isIdle || !TryRetainBuffers())
        {
            Input.Shrink(BufferPool.Minimum);
            _writer.Release();
        }

        _exchange?.ReleaseBuffers();
        long now = _server.Loop.IteratedAt;
        if (isIdle)
        {
            _timeouts.Set(now + _server.Ticks(Limits.KeepAliveTimeout));
        }
        else if (!_isHeadTimed)
        {
            _isHeadTimed = true;
            _timeouts.Set(now + _server.Ticks(Limits.HeaderTimeout));
        }

        WaitingSince = now;
        if (_server.IsStopping && Input.IsEmpty)
        {
            return Close();
        }

        if (!TryReserve(isIdle ? 0 : Input.Capacity))
        {
            return Refuse(ParseFault.NoRoom);
        }

        _state = isIdle ? ConnectionState.Idle : ConnectionState.ReadingHead;
        return Has(Signals.Expired) ? ExpireHead() : Step.None;
    }

    /// <summary>No request came in time: 408, unless the last one was answered and nothing of a next one is there.</summary>
    private Step ExpireHead()
    {
        Unreserve();
        if ((_hasServed && Input.IsEmpty) || _server.IsStopping || IsEvicted)
        {
            return Close();
        }

        _signals &= ~Signals.Expired;
        return Refuse(ParseFault.HeaderTimeout);
    }

    /// <summary>Answers to a fault below the API, before any handler.</summary>
    private Step Refuse(ParseFault fault)
    {
        Input.BeginBody(0);
        Exchange exchange = _exchange ??= new Exchange(this);
        exchange.Begin();
        exchange.Refuse(fault);
        _mustDrain = true;
        Conclude(exchange);
        return Step.End;
    }

    private Step Yield()
    {
        _writer.Release();
        _exchange?.ReleaseBuffers();
        Input.Shrink(BufferPool.Minimum);
        if (Has(Signals.Expired) || !TryReserve(Input.Capacity))
        {
            return Close();
        }

        _state = ConnectionState.Yielding;
        _server.Loop.Yield(this);
        return Step.None;
    }

    /// <summary>Sends all responses; otherwise waits until the client has taken them, or closes.</summary>
    private bool TryFlush(Step then)
    {
        ExecuteBatched();
        if (!_isGone && !_writer.IsEmpty)
        {
            int n = _writer.Send();
            _isGone = n < 0 && n != StreamSocket.WouldBlock;
        }

        if (_isGone || (!_writer.IsEmpty && !TryBeginSlowSend()))
        {
            Close();
            return false;
        }

        if (_writer.IsEmpty)
        {
            return true;
        }

        _afterWriting = then;
        _state = ConnectionState.Writing;
        return false;
    }

    private Step ContinueWriting()
    {
        if (!TrySendSlowly())
        {
            return _isGone ? Close() : Step.None;
        }

        EndSlowSend();
        _state = ConnectionState.ReadingHead;
        return _afterWriting;
    }

    /// <summary>
    /// Reads and drops what a client still sends, so that closing does not take the response from it: a socket that is closed with unread
    /// data is reset.
    /// </summary>
    private Step Drain()
    {
        if (!_mustDrain && Input.Raw.IsEmpty && _reader.IsDrained)
        {
            return Close();
        }

        Socket.ShutdownSend();
        ReleaseMemory();
        _signals &= ~Signals.Expired;
        _timeouts.Set(_server.Now + _server.Ticks(Limits.LingerTimeout));
        _state = ConnectionState.Draining;
        return DropInput();
    }

    private Step DropInput()
    {
        for (int n; (n = _reader.Receive(isHalfClosed: true)) != StreamSocket.WouldBlock;)
        {
            if (n <= 0)
            {
                return Close();
            }

            Input.Release();
            if (++_drainReceipts % MaxDrainReceipts == 0)
            {
                _server.Loop.Yield(this);
                break;
            }
        }

        Input.Release();
        return Step.None;
    }

    private Step Close()
    {
        if (_state == ConnectionState.Closed)
        {
            return Step.None;
        }

        _isGone = true;
        InternalErrors.Run(Place.ApiConnection, _server.Log, ExecuteBatched);
        _state = ConnectionState.Closed;
        ReleaseHeld();
        ReleaseWorker();
        _server.Connections.Remove(this);
        Socket.Dispose();
        ReleaseMemory();
        return Step.None;
    }

    private void ReleaseMemory()
    {
        EndRetention();
        Input.Release();
        _writer.Release();
        _exchange?.ReleaseBuffers();
        Unreserve();
    }

    // Requests.

    /// <summary>Handles the request in the head.</summary>
    private Step Execute()
    {
        _timeouts.Clear();
        _hasServed = true;
        _isHeadTimed = _sentContinue = IsOffloaded = _isEndless = false;
        _bodyStart = _bodyReceived = _streamLeft = 0;
        _reader.BeginBody();
        Exchange exchange = _exchange ??= new Exchange(this);
        exchange.Begin();
        try
        {
            InternalErrors.Enter(Place.ApiRequest);
            Endpoint? endpoint = exchange.Check(_server.Router);
            if (endpoint is { CanBatch: false })
            {
                ExecuteBatched(); // it may read what the requests before it change
            }

            ValueTask handling = endpoint is null ? exchange.Delay > TimeSpan.Zero ? DelayAsync(exchange.Delay) : default
                : endpoint.IgnoresBody && !IsBodyComplete ? HandleArrivedAsync(endpoint, exchange)
                : endpoint.Handler(exchange);
            if (!handling.IsCompletedSuccessfully)
            {
                return AwaitHandler(handling);
            }
        }
        catch (Exception e)
        {
            Fail(exchange, e);
        }

        return Finish(exchange);
    }

    /// <summary>A request whose body has not ended has not arrived: nothing is done for it before.</summary>
    private static async ValueTask HandleArrivedAsync(Endpoint endpoint, Exchange exchange)
    {
        if (await exchange.SkipBodyAsync())
        {
            await endpoint.Handler(exchange);
        }
    }

    private Step AwaitHandler(ValueTask handling)
    {
        _state = ConnectionState.Executing;
        _isHandled = false;
        _handling = handling;
        ValueTaskAwaiter awaiter = handling.GetAwaiter();
        if (awaiter.IsCompleted)
        {
            return OnHandled(); // it has failed, or has just ended elsewhere
        }

        awaiter.UnsafeOnCompleted(_onHandled ??= PostHandled);
        return Step.None;
    }

    /// <summary>The handler's task has ended, on any thread: the connection belongs to the event loop again.</summary>
    private void PostHandled()
    {
        _isHandled = true;
        if (_server.Loop.IsCurrent)
        {
            _server.Loop.Yield(this);
        }
        else
        {
            _server.Loop.Post(this);
        }
    }

    private Step OnHandled()
    {
        _state = ConnectionState.ReadingHead;
        if (_clientEvent.TryReset())
        {
            _reader.IsDrained = false;
        }

        Exchange exchange = _exchange!;
        ValueTask handling = _handling;
        _handling = default;
        try
        {
            handling.GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            if (_isBodyDropped)
            {
                throw;
            }

            Fail(exchange, e);
        }

        if (!_isBodyDropped)
        {
            return Finish(exchange);
        }

        _isBodyDropped = false;
        ReleaseLargeBody();
        return _mustDrain ? Step.End : NextRequest();
    }

    /// <summary>A bug in one request answers 500 to it and ends nothing else.</summary>
    public void Fail(Response response, Exception e)
    {
        InternalErrors.Caught(Place.ApiRequest);
        HttpLog.RequestFailed(_server.Log, response.Route?.Pattern ?? string.Empty, e);
        if (!response.IsStreamed)
        {
            response.FailInternally();
        }
    }

    /// <summary>The handler has left its response, or the request to the batch.</summary>
    private Step Finish(Exchange exchange)
    {
        if (exchange.IsBatched)
        {
            return NextRequest();
        }

        if (exchange.Status == 0)
        {
            Fail(exchange, new InvalidOperationException("the handler left no answer"));
        }

        bool closes = Conclude(exchange);
        ReleaseLargeBody();
        ReleaseWorker();
        exchange.Trim();
        if (closes || _streamLeft > 0)
        {
            _isGone |= _streamLeft > 0;
            _mustDrain |= !IsBodyComplete;
            return Step.End;
        }

        return IsBodyComplete ? NextRequest() : DropBody();
    }

    private void ReleaseLargeBody()
    {
        if (_holdsLargeBody)
        {
            _holdsLargeBody = false;
            ReleaseHeld();
        }
    }

    /// <summary>Writes the response, unless it was streamed, and counts it. Returns whether the connection ends with it.</summary>
    private bool Conclude(Exchange exchange)
    {
        ExecuteBatched();
        bool closes = exchange.IsStreamed ? _streamCloses : Closes(exchange);
        if (!exchange.IsStreamed)
        {
            _writer.WriteHead(exchange, exchange.AnswerBody.Length, closes, Head.IsHttp10);
            if (exchange.Verb != Verb.Head)
            {
                Output.Append(exchange.AnswerBody.Written);
            }
        }

        Count(exchange);
        return closes;
    }

    private void Count(Response response)
    {
        _server.Counters.Count(response.Status);
        if (response.Cause != Refusal.None)
        {
            _server.Refusals.Report(response, Caller.Id);
        }
    }

    /// <summary>Whether the connection ends with this response: asked for, broken, or followed by too much of an unread body.</summary>
    private bool Closes(Exchange exchange)
    {
        if (!Head.KeepAlive || exchange.MustClose || _server.IsStopping)
        {
            return true;
        }

        if (IsBodyComplete)
        {
            return false;
        }

        // The rest of the body is not read. A client that waits for 100 Continue may send its body or the next request, and they cannot be
        // distinguished.
        ParseFault fault = PumpBody();
        Input.ConsumeBody(Input.BodyLength);
        return fault != ParseFault.None || (!IsBodyComplete && ((Head.ExpectsContinue && !_sentContinue) || _reader.BodyLeft > Limits.MaxDrainBytes));
    }

    /// <summary>Drops the rest of a short body.</summary>
    private Step DropBody()
    {
        _isBodyDropped = true;
        return AwaitHandler(DropBodyAsync());
    }

    private async ValueTask DropBodyAsync()
    {
        while (!IsBodyComplete && !_mustDrain)
        {
            Input.ConsumeBody(Input.BodyLength);
            _mustDrain = await ReadMoreBodyAsync(0) != ParseFault.None;
        }
    }

    private Step NextRequest()
    {
        _reader.EndRequest();
        return Step.Serve;
    }

    // The batch.

    /// <summary>
    /// Leaves the present request to the batch, if nothing about it is unusual: the next ones may be read before its response is there.
    /// Otherwise executes those before it.
    /// </summary>
    public bool TryBatch(IBatchHandler handler)
    {
        if (IsOffloaded || !IsBodyComplete || !Head.KeepAlive || Head.IsHttp10 || _holdsLargeBody || _server.IsStopping || !_server.Loop.IsCurrent)
        {
            ExecuteBatched();
            return false;
        }

        _server.Loop.Batch.Add(handler);
        _batched++;
        return true;
    }

    /// <summary>Writes the response to a request of the batch; they come in the order of the requests.</summary>
    public void WriteBatched(Response response)
    {
        _batched--;
        if (_state == ConnectionState.Closed)
        {
            return;
        }

        _writer.WriteHead(response, response.AnswerBody.Length, closes: false, isHttp10: false);
        Output.Append(response.AnswerBody.Written);
        Count(response);
    }

    /// <summary>Executes the requests that any connection has left to the batch; on other threads than the loop's there are none.</summary>
    public void FlushBatch()
    {
        if (_server.Loop.IsCurrent)
        {
            _server.Loop.Batch.Execute();
        }
    }

    /// <summary>Has all responses written that come before whatever is next.</summary>
    private void ExecuteBatched()
    {
        if (_batched > 0)
        {
            _server.Loop.Batch.Execute();
        }
    }
}
