using System.Runtime.CompilerServices;
using Couic.Http.Parsing;
using Couic.Native;

namespace Couic.Http;

internal sealed partial class HttpConnection
{
    private bool _isOld;
    private bool _hasWaited;
    private bool _isHeadTimed;
    private bool _sentContinue;
    private bool _holdsLargeBody;
    private long _bodyStart;
    private long _bodyReceived;

    /// <summary>Set while a handler is away from the event loop: what waits for it goes on on a pool thread.</summary>
    public bool IsOffLoop { get; set; }

    /// <summary>Takes what has been received of the body.</summary>
    public ParseFault PumpBody() => _body.IsComplete ? ParseFault.None : _body.Pump(Input, Limits);

    /// <summary>Waits until more than so many bytes of the body are there, or all of it.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<ParseFault> ReadMoreBodyAsync(int have)
    {
        while (true)
        {
            ParseFault fault = PumpBody();
            if (fault != ParseFault.None || _body.IsComplete || Input.BodyLength > have)
            {
                return fault;
            }

            if (!await AskForBodyAsync())
            {
                return ParseFault.NoRoom;
            }

            if (!await FlushAsync())
            {
                return ParseFault.BodyBrokenOff;
            }

            int n = _drained ? StreamSocket.WouldBlock : Receive();
            if (n > 0)
            {
                _bodyReceived += n;
                continue;
            }

            if (n != StreamSocket.WouldBlock)
            {
                return ParseFault.BodyBrokenOff;
            }

            SetDeadline(_bodyStart, _bodyReceived, Limits.MinBodyBytesPerSecond);
            Input.Shrink(Buffers.Working); // so that a body that goes on is read in pieces of that size
            _out.Release();
            if (!TryPark(_holdsLargeBody ? 0 : HeldBytes))
            {
                return ParseFault.NoRoom;
            }

            BeginWaitForClient();
            await _readable.WaitAsync();
            EndWaitForClient();
            _drained = false;
            if (_expired)
            {
                return ParseFault.BodyTimeout;
            }

            if (IsOffLoop)
            {
                await Exchange.YieldAsync();
            }

            Unpark();
        }
    }

    /// <summary>Before the first wait for a body: says that it is wanted, and waits for a turn if it is large. False: there is none.</summary>
    private async ValueTask<bool> AskForBodyAsync()
    {
        Settle();
        if (_bodyStart == 0)
        {
            _bodyStart = _server.Now;
            if (Head.ExpectsContinue && Input.BodyLength == 0)
            {
                _sentContinue = true;
                _out.Append("HTTP/1.1 100 Continue\r\n\r\n"u8);
            }
        }

        if (!_holdsLargeBody && Input.Capacity >= Limits.LargeBodyBytes)
        {
            if (!await WaitTurnAsync(_server.LargeBodies))
            {
                return false;
            }

            _holdsLargeBody = true;
            _bodyStart = _server.Now;
            _bodyReceived = 0;
        }

        return true;
    }

    /// <summary>Receives the first or further bytes of a head. False: the connection is over; null: it has to wait for them.</summary>
    private bool? ReceiveHead()
    {
        if (_hasWaited && _expired)
        {
            return ExpireHead();
        }

        int n = _drained ? StreamSocket.WouldBlock : Receive();
        if (n != StreamSocket.WouldBlock)
        {
            _isGone = n <= 0; // a request that broke off gets no answer
            return n > 0;
        }

        return BeginWait(_server.Now, rests: false) ? null : false;
    }

    private void EndWait()
    {
        Unpark();
        _hasWaited = true;
        _isWaiting = false;
        _drained = false;
    }

    /// <summary>
    /// Gives back memory, unless it rests and may keep its buffers, takes a share for what stays, and sets the deadline. False: it may not wait.
    /// </summary>
    private bool BeginWait(long now, bool rests)
    {
        if (!rests || !TryStayWarm())
        {
            Input.Shrink(Buffers.Parked);
            _out.Release();
        }

        _exchange?.ReleaseBuffers();
        if (Input.IsEmpty && _isOld)
        {
            Volatile.Write(ref _deadline, now + _server.Ticks(Limits.KeepAliveTimeout));
        }
        else if (!_isHeadTimed)
        {
            _isHeadTimed = true;
            Volatile.Write(ref _deadline, now + _server.Ticks(Limits.HeaderTimeout));
        }

        WaitingSince = now;
        _isWaiting = true;
        if (_server.IsStopping && Input.IsEmpty)
        {
            _isGone = true;
            return false;
        }

        if (!TryPark(rests ? 0 : Input.Capacity))
        {
            _isWaiting = false;
            Refuse(ParseFault.NoRoom);
            return false;
        }

        return true;
    }

    /// <summary>No request came in time: 408, unless the last one was answered and nothing of a next one is there.</summary>
    private bool ExpireHead()
    {
        _isGone = (_isOld && Input.IsEmpty) || _server.IsStopping || _isEvicted;
        if (!_isGone)
        {
            _expired = false;
            Refuse(ParseFault.HeaderTimeout);
        }

        return false;
    }

    /// <summary>Receives what is there, once.</summary>
    private int Receive()
    {
        int n = _ahead, room = _aheadRoom;
        _aheadRoom = 0;
        if (room == 0)
        {
            Span<byte> free = Input.Free();
            room = free.Length;
            n = _socket.Receive(free);
        }

        if (n > 0)
        {
            // On a stream a short read means that nothing is left (epoll(7)), unless the end of the stream is.
            _drained = n < room && !_hungUp;
            Input.Received(n);
        }

        return n;
    }

    /// <summary>
    /// Reads and throws away what a client still sends, so that closing does not take the answer from it: a socket that is
    /// closed with unread data is reset.
    /// </summary>
    private async ValueTask LingerAsync()
    {
        if (!_lingers && Input.Raw.IsEmpty && _drained)
        {
            return;
        }

        _socket.ShutdownSend();
        Release();
        _expired = false;
        Volatile.Write(ref _deadline, _server.Now + _server.Ticks(Limits.LingerTimeout));
        int turns = 0;
        while (!_expired)
        {
            int n = Receive();
            Input.Release();
            if (n == StreamSocket.WouldBlock)
            {
                _isWaiting = true;
                await _readable.WaitAsync();
            }
            else if (n <= 0)
            {
                return;
            }
            else if (++turns % MaxTurns == 0)
            {
                await WaitForTurnAsync();
            }
        }
    }

    private void SetDeadline(long start, long bytes, int bytesPerSecond) => Volatile.Write(
        ref _deadline, start + _server.Ticks(Limits.RateGrace + TimeSpan.FromSeconds(bytes / (double)bytesPerSecond)));
}
