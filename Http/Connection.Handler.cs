using System.Runtime.CompilerServices;
using Couic.Http.Parsing;
using Couic.Native;

namespace Couic.Http;

// The handler's face of a connection: its waits for the body, for the reader and in a queue. They run on the event loop's thread until the
// handler is offloaded.
internal sealed partial class Connection
{
    /// <summary>Takes what has been received of the body.</summary>
    public ParseFault PumpBody() => _reader.PumpBody(Limits);

    /// <summary>Waits until more than so many bytes of the body are there, or all of it.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<ParseFault> ReadMoreBodyAsync(int have)
    {
        while (true)
        {
            ParseFault fault = PumpBody();
            if (fault != ParseFault.None || IsBodyComplete || Input.BodyLength > have)
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

            int n = _reader.IsDrained ? StreamSocket.WouldBlock : _reader.Receive(Has(Signals.HalfClosed));
            if (n > 0)
            {
                _bodyReceived += n;
                continue;
            }

            if (n != StreamSocket.WouldBlock)
            {
                return ParseFault.BodyBrokenOff;
            }

            _timeouts.SetRate(_server, _bodyStart, _bodyReceived, Limits.MinBodyBytesPerSecond);
            Input.Shrink(BufferPool.Working); // so that the rest of the body is read in pieces of that size
            _writer.Release();
            if (!TryReserve(_holdsLargeBody ? 0 : HeldBytes))
            {
                return ParseFault.NoRoom;
            }

            await WaitForClientAsync();
            if (Has(Signals.Expired))
            {
                return ParseFault.BodyTimeout;
            }

            if (IsOffloaded)
            {
                await Exchange.YieldAsync();
            }

            Unreserve();
        }
    }

    /// <summary>Before the first wait for a body: asks for it, and enters the semaphore of large ones. False: that was refused.</summary>
    private async ValueTask<bool> AskForBodyAsync()
    {
        ExecuteBatched();
        if (_bodyStart == 0)
        {
            _bodyStart = _server.Now;
            if (Head.ExpectsContinue && Input.BodyLength == 0)
            {
                _sentContinue = true;
                Output.Append("HTTP/1.1 100 Continue\r\n\r\n"u8);
            }
        }

        if (!_holdsLargeBody && Input.Capacity >= Limits.LargeBodyBytes)
        {
            if (!await HoldAsync(_server.LargeBodies))
            {
                return false;
            }

            _holdsLargeBody = true;
            _bodyStart = _server.Now;
            _bodyReceived = 0;
        }

        return true;
    }

    /// <summary>Writes the head of a response that is streamed.</summary>
    public void BeginStream(Exchange exchange, long contentLength)
    {
        _streamCloses = Closes(exchange);
        _streamLeft = exchange.Verb == Verb.Head ? 0 : contentLength;
        _writer.WriteHead(exchange, contentLength, _streamCloses, Head.IsHttp10);
    }

    /// <summary>Writes the head of a response that lasts until one side closes, and reserves nothing for the wait between its pieces.</summary>
    public void BeginEndlessStream(Exchange exchange)
    {
        _streamCloses = true;
        _isEndless = exchange.Verb != Verb.Head;
        _streamLeft = 0;
        _writer.WriteHead(exchange, contentLength: null, closes: true, Head.IsHttp10);
    }

    /// <summary>The next <see cref="Signal"/>, or the next event of the client; the waiter continues on the thread that signals.</summary>
    public SingleWaiterEvent.Waiting WaitForSignalAsync()
    {
        Input.Shrink(BufferPool.Minimum);
        _exchange!.ReleaseBuffers();
        return _clientEvent.WaitAsync();
    }

    /// <summary>Thread-safe.</summary>
    public void Signal() => _clientEvent.Signal();

    /// <summary>Whether the client has closed its side, is too slow, or the server ends the connection.</summary>
    public bool HasClientLeft => _isGone || Has(Signals.HalfClosed | Signals.PeerClosed | Signals.Expired);

    /// <summary>Sends a piece of such a response, which is in <see cref="Output"/>. False when the client is gone or too slow.</summary>
    public async ValueTask<bool> SendPieceAsync(long length)
    {
        bool isSent = await FlushAsync();
        _streamLeft -= isSent ? length : 0;
        return isSent;
    }

    public void ReleaseOutput() => _writer.Release();

    /// <summary>Sends the responses that are written. False when the client is gone or too slow.</summary>
    public ValueTask<bool> FlushAsync()
    {
        ExecuteBatched();
        if (_isGone || _writer.IsEmpty)
        {
            return new ValueTask<bool>(!_isGone);
        }

        _writer.Send();
        return _writer.IsEmpty ? new ValueTask<bool>(true) : FlushSlowlyAsync();
    }

    /// <summary>Lets another request compute while the client reads.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> FlushSlowlyAsync()
    {
        FairSemaphore? worker = ReleaseWorker();
        if (TryBeginSlowSend())
        {
            while (!TrySendSlowly() && !_isGone)
            {
                await WaitForClientAsync();
            }

            EndSlowSend();
        }

        _isGone |= !_isGone && worker is not null && !await EnterWorkAsync(worker);
        if (_isGone)
        {
            _writer.Clear();
        }

        return !_isGone;
    }

    /// <summary>Starts to send as fast as the client reads. False: the memory budget is exhausted, and the connection is gone.</summary>
    private bool TryBeginSlowSend()
    {
        _sendStart = _server.Now;
        _sendProgress = 0;
        Input.Shrink(BufferPool.Minimum);
        if (!TryReserve(HeldBytes))
        {
            _isGone = true;
            return false;
        }

        _server.Loop.Watch(this, writable: true);
        LimitSend();
        return true;
    }

    /// <summary>Sends what the socket takes. True when that was all; otherwise it has to wait, or is gone.</summary>
    private bool TrySendSlowly()
    {
        int n = 0;
        long before = _sendProgress;
        while (!_writer.IsEmpty && (n = _writer.Send()) >= 0)
        {
            _sendProgress += n;
        }

        _isGone |= Has(Signals.Expired) || (n < 0 && n != StreamSocket.WouldBlock);
        if (!_isEndless || _sendProgress > before)
        {
            LimitSend();
        }

        return _writer.IsEmpty && !_isGone;
    }

    /// <summary>A response with an end needs a rate; one without may be read as slowly as its client likes, and must not stand still.</summary>
    private void LimitSend()
    {
        if (_isEndless)
        {
            _timeouts.Set(_server.Now + _server.Ticks(Limits.StreamStallTimeout));
        }
        else
        {
            _timeouts.SetRate(_server, _sendStart, _sendProgress, Limits.MinAnswerBytesPerSecond);
        }
    }

    private void EndSlowSend()
    {
        Unreserve();
        _server.Loop.Watch(this, writable: false);
        _timeouts.Clear();
    }

    private async ValueTask WaitForClientAsync()
    {
        _timeouts.BeginWaitForClient(_server.Now);
        await _clientEvent.WaitAsync();
        _timeouts.EndWaitForClient(_server.Now);
        _timeouts.Clear();
        _reader.IsDrained = false;
    }

    // Admission: a slow client must not hold what is scarce: memory, a worker, a semaphore.

    /// <summary>
    /// Waits in its client's queue with as little memory as possible; what was read of the body may move. Holds the semaphore until
    /// <see cref="ReleaseHeld"/>. False: its memory was taken away, or its client has gone.
    /// </summary>
    public async ValueTask<bool> HoldAsync(FairSemaphore semaphore)
    {
        if (!await EnterAsync(semaphore))
        {
            return false;
        }

        if (Has(Signals.PeerClosed))
        {
            semaphore.Release();
            return false;
        }

        _timeouts.ResetWaited();
        _held = semaphore;
        return true;
    }

    public void ReleaseHeld()
    {
        if (_held is { } held)
        {
            _held = null;
            held.Release();
        }
    }

    /// <summary>
    /// Continues on a pool thread as one of a few: what those have in memory while they compute is outside the budget. Until
    /// <see cref="ReleaseWorker"/>. False: its memory was taken away, or its client has gone and the request changes nothing.
    /// </summary>
    public ValueTask<bool> AcquireWorkerAsync(WorkClass work) => EnterWorkAsync(_server.Workers(work));

    /// <summary>Lets another request compute. Returns what it had entered; null: nothing.</summary>
    public FairSemaphore? ReleaseWorker()
    {
        FairSemaphore? worker = _worker;
        _worker = null;
        worker?.Release();
        return worker;
    }

    private async ValueTask<bool> EnterWorkAsync(FairSemaphore workers)
    {
        if (_worker is null && await EnterAsync(workers))
        {
            _worker = workers;
            _workingSince = _server.Now;
        }

        if (Has(Signals.PeerClosed) && _exchange!.Verb is Verb.Get or Verb.Head)
        {
            ReleaseWorker(); // the response would reach no client, and the request has no other effect
        }

        if (_worker is not null && _server.Loop.IsCurrent)
        {
            await Exchange.YieldAsync();
        }

        return _worker is not null;
    }

    private async ValueTask<bool> EnterAsync(FairSemaphore semaphore)
    {
        if (semaphore.Enter(_exchange!.ClientName) is { } waiter)
        {
            Input.Shrink(BufferPool.Minimum);
            if (!TryReserve(_holdsLargeBody ? 0 : HeldBytes + QueuedRequestBytes))
            {
                waiter.TrySetResult(false);
            }

            _waiter = waiter;
            if (IsEvicted)
            {
                waiter.TrySetResult(false);
            }

            bool hasEntered = await waiter.Task;
            _waiter = null;
            if (!hasEntered)
            {
                return false; // the reservation stays until the memory is released
            }

            Unreserve();
        }

        return true;
    }

    /// <summary>Waits before a response; without memory for that it is sent at once.</summary>
    private async ValueTask DelayAsync(TimeSpan delay)
    {
        ExecuteBatched();
        Input.Shrink(BufferPool.Minimum);
        if (TryReserve(HeldBytes))
        {
            await Task.Delay(delay, _server.Time);
            Unreserve();
        }
    }

    private bool IsBlockingOthers(long now) => _held is { HasWaiters: true } && _timeouts.Waited(now) > _server.Ticks(HolderTimeout);

    /// <summary>Whether it keeps its buffers although it is idle: its next request is expected at once.</summary>
    private bool TryRetainBuffers() => Input.Capacity <= BufferPool.Working && Output.Capacity <= BufferPool.Response
        && (_retainsBuffers || (_retainsBuffers = _server.Budget.TryRetain()));

    private void EndRetention()
    {
        if (_retainsBuffers)
        {
            _retainsBuffers = false;
            _server.Budget.EndRetention();
        }
    }

    /// <summary>Reserves memory for a wait, in place of what was reserved before.</summary>
    private bool TryReserve(int bytes)
    {
        Unreserve();
        if (bytes == 0)
        {
            return true;
        }

        Volatile.Write(ref _reservedSince, _server.Now);
        if (!_server.Budget.TryReserve(bytes))
        {
            return false;
        }

        Volatile.Write(ref _reservedBytes, bytes);
        return true;
    }

    private void Unreserve()
    {
        if (_reservedBytes != 0)
        {
            _server.Budget.Release(_reservedBytes);
            Volatile.Write(ref _reservedBytes, 0);
        }
    }
}
