using Couic.Http.Parsing;
using Couic.Logging.Abstractions;
using Couic.Native;

namespace Couic.Http;

/// <summary>
/// One connection: reads requests, has them handled one after the other, and writes all answers to what was read at once.
/// Runs on the event loop's thread, and on a pool thread while a handler that left the loop goes on.
/// </summary>
internal sealed partial class HttpConnection
{
    private const int FlushAt = 48 * 1024;

    /// <summary>Requests that one connection may have handled before others get their turn; a receipt counts as some.</summary>
    private const int MaxWork = 64, ReceiptWork = 8;

    /// <summary>Receipts of a connection that is closed, and only read to its end, before others get their turn.</summary>
    private const int MaxTurns = 8;

    private readonly HttpServer _server;
    private readonly StreamSocket _socket;
    private readonly Gate _readable = new();
    private readonly Gate _writable = new();
    private readonly Gate _turn = new();
    private readonly OutputBuffer _out = new();
    private long _deadline = long.MaxValue;
    private volatile bool _expired;
    private volatile bool _hungUp;
    private volatile bool _isAbandoned;
    private volatile bool _isWaiting;
    private volatile bool _isEvicted;
    private volatile bool _waitsForTurn;
    private bool _drained;
    private bool _rests;

    /// <summary>Requests and receipts since others had their turn.</summary>
    private int _handled;

    /// <summary>What was left to be waited for when it was served at rest.</summary>
    private Step _left;
    private ValueTask<bool> _handling;

    /// <summary>What was received ahead, and the room that there was for it; no room: nothing was.</summary>
    private int _ahead, _aheadRoom;
    private bool _isGone;
    private bool _lingers;
    private int _deferred;
    private RequestBody _body;
    private Exchange? _exchange;

    public HttpConnection(HttpServer server, StreamSocket socket, ulong key, Caller caller)
    {
        _server = server;
        _socket = socket;
        Key = key;
        Caller = caller;
    }

    /// <summary>What the poller calls it.</summary>
    public ulong Key { get; }

    public Caller Caller { get; }

    /// <summary>Events that it has not seen yet: it is in its caller's line. The event loop's.</summary>
    public PollEvents Pending { get; set; }

    /// <summary>Who comes after it in the line. The event loop's.</summary>
    public HttpConnection? Behind { get; set; }

    public HttpLimits Limits => _server.Limits;

    public RequestHead Head { get; } = new();

    public InputBuffer Input { get; } = new();

    public ref RequestBody Body => ref _body;

    /// <summary>Whether it waits for a request and may be closed to make room.</summary>
    public bool IsWaiting => _isWaiting;

    /// <summary>When it last began to wait, in timestamps.</summary>
    public long WaitingSince { get; private set; }

    public StreamSocket Socket => _socket;

    /// <summary>Its turn: it sees the poller's events.</summary>
    public void GoOn()
    {
        PollEvents events = Pending;
        Pending = PollEvents.None;
        if ((events & (PollEvents.HangUp | PollEvents.Error | PollEvents.PeerClosed)) != 0)
        {
            _hungUp = true;
        }

        if ((events & (PollEvents.HangUp | PollEvents.Error)) != 0)
        {
            _isAbandoned = true; // both directions are closed
        }

        if ((events & ~PollEvents.Writable) != 0 && !TryServeAtRest() && !EndRest())
        {
            _readable.Signal();
        }

        if ((events & (PollEvents.Writable | PollEvents.HangUp | PollEvents.Error)) != 0)
        {
            _writable.Signal();
        }

        if (_waitsForTurn)
        {
            _waitsForTurn = false;
            _turn.Signal();
        }
    }

    /// <summary>Receives, if it rests, what <see cref="GoOn"/> is going to ask for.</summary>
    public void ReceiveAhead()
    {
        if (_rests && (Pending & PollEvents.Readable) != 0)
        {
            Span<byte> free = Input.Free();
            _aheadRoom = free.Length;
            _ahead = _socket.Receive(free);
        }
    }

    /// <summary>The group's work is done: the answers go out. Mostly that is all, and the connection rests until more comes.</summary>
    public void Leave(long now)
    {
        bool isSent = !_isGone && TrySend() && Input.IsEmpty && _drained && !_readable.IsOpen;
        _rests = isSent && BeginWait(now, rests: true);
        if (!_rests)
        {
            _turn.Signal();
        }
    }

    private bool EndRest()
    {
        bool rested = _rests;
        if (rested)
        {
            _rests = false;
            EndWait();
            _turn.Signal();
        }

        return rested;
    }

    /// <summary>Ends it if its deadline has passed, or if others wait for what it holds.</summary>
    public void CheckDeadline(long now)
    {
        if (now > Volatile.Read(ref _deadline) || IsInTheWay(now))
        {
            Expire();
        }
    }

    /// <summary>Whether it is being closed to make room.</summary>
    public bool IsEvicted => _isEvicted;

    /// <summary>Closes it to make room for another, while it waits for a request.</summary>
    public void Evict()
    {
        _isEvicted = true;
        _place?.TrySetResult(false);
        Expire();
    }

    /// <summary>Makes every wait return, and fail.</summary>
    public void Expire()
    {
        _expired = true;
        _readable.Signal();
        _writable.Signal();
        EndRest();
    }

    /// <summary>Serves the connection until it ends.</summary>
    public async Task RunAsync()
    {
        try
        {
            await ServeAsync();
        }
        catch (Exception e)
        {
            InternalErrors.Caught(Place.ApiConnection, _server.Log, e);
        }
        finally
        {
            InternalErrors.Run(Place.ApiConnection, _server.Log, GiveUpTurns);
            _server.Remove(this);
            _socket.Dispose();
            Release();
        }
    }

    private void GiveUpTurns()
    {
        try
        {
            Settle();
        }
        finally
        {
            LetGo();
            LeaveWork();
        }
    }

    /// <summary>Ends it after an exception, in whatever state that has left it: what it waits for returns, and nothing more is sent.</summary>
    public void Abandon(Exception fault)
    {
        InternalErrors.Caught(Place.ApiConnection, _server.Log, fault);
        _isGone = true;
        _left = Step.End;
        _rests = false;
        _expired = true;
        _isAbandoned = true;
        _turn.Signal();
        _readable.Signal();
        _writable.Signal();
    }

    /// <summary>Gives all memory back.</summary>
    private void Release()
    {
        Cool();
        Input.Release();
        _out.Release();
        _exchange?.ReleaseBuffers();
        Unpark();
    }

    private async ValueTask ServeAsync()
    {
        Head.Reset();
        Step step = Step.Receive;
        while (step != Step.End)
        {
            bool goesOn;
            switch (step)
            {
                case Step.Handle:
                    ValueTask<bool> handling = _handling;
                    _handling = default;
                    goesOn = await handling;
                    break;
                case Step.Flush:
                    goesOn = await FlushAsync();
                    break;
                case Step.GiveWay:
                    _handled = 0;
                    goesOn = await FlushAsync() && await GiveWayAsync();
                    break;
                default:
                    _hasWaited = false;
                    if ((_deferred > 0 || _out.Length > 0) && _server.TryJoin(this))
                    {
                        await _turn.WaitAsync();
                        if (_left != Step.None)
                        {
                            (step, _left) = (_left, Step.None);
                            continue;
                        }
                    }

                    bool? received = false;
                    for (bool isSent = await FlushAsync(); isSent && (received = ReceiveHead()) is null; EndWait())
                    {
                        await _readable.WaitAsync();
                    }

                    goesOn = received == true;
                    _handled = _hasWaited ? 0 : _handled + ReceiptWork;
                    break;
            }

            step = goesOn ? ServeInput() : Step.End;
        }

        if (!_isGone && await FlushAsync())
        {
            await LingerAsync();
        }
    }

    /// <summary>Handles the requests that are there, up to one for which something has to be waited for.</summary>
    private Step ServeInput()
    {
        if (NeedsFlush)
        {
            return Step.Flush;
        }

        while (_handled < MaxWork)
        {
            if (Input.IsEmpty)
            {
                return Step.Receive;
            }

            if (!RequestParser.TryParse(Input.Request, Limits, Head, out ParseFault fault))
            {
                if (fault == ParseFault.None)
                {
                    return Step.Receive;
                }

                Refuse(fault);
                return Step.End;
            }

            _handled++;
            ValueTask<bool> handling = HandleAsync();
            if (!handling.IsCompletedSuccessfully)
            {
                _handling = handling;
                return Step.Handle;
            }

            if (!handling.Result)
            {
                return Step.End;
            }

            if (NeedsFlush)
            {
                return Step.Flush;
            }
        }

        return Step.GiveWay;
    }

    private bool NeedsFlush => _out.Length >= FlushAt || _server.IsEnough(_deferred);

    /// <summary>
    /// Serves a connection that rests and has received, without waking what waits for its turn: mostly the answers leave with the group, and
    /// it rests again.
    /// </summary>
    private bool TryServeAtRest()
    {
        if (!_rests || _expired || _aheadRoom == 0 || _ahead <= 0)
        {
            return false;
        }

        _rests = false;
        EndWait();
        Receive();
        _handled = 0;
        Step step = TryServeInput();
        if (step == Step.Receive && (_deferred > 0 || _out.Length > 0))
        {
            _hasWaited = false;
            return _server.TryJoin(this);
        }

        _left = step;
        _turn.Signal();
        return true;
    }

    /// <summary>A bug ends the connection, not the event loop.</summary>
    private Step TryServeInput()
    {
        try
        {
            return ServeInput();
        }
        catch (Exception e)
        {
            InternalErrors.Caught(Place.ApiConnection, _server.Log, e);
            _isGone = true;
            return Step.End;
        }
    }

    /// <summary>Answers to a fault below the API, in front of any handler.</summary>
    private void Refuse(ParseFault fault)
    {
        Input.BeginBody(0);
        Exchange exchange = _exchange ??= new Exchange(this);
        exchange.Begin();
        exchange.Refuse(fault);
        _lingers = true;
        Conclude(exchange);
    }

    /// <summary>What a connection does next that may have to wait.</summary>
    private enum Step : byte
    {
        None,

        /// <summary>Have its answers sent with the group's, and receive.</summary>
        Receive,

        /// <summary>Wait for the handler of a request.</summary>
        Handle,

        /// <summary>Have its answers made and sent.</summary>
        Flush,

        /// <summary>Let others go on.</summary>
        GiveWay,

        /// <summary>End, behind the answers that are there.</summary>
        End,
    }
}
