using System.Runtime.CompilerServices;
using Couic.Http.Parsing;
using Couic.Native;

namespace Couic.Http;

internal sealed partial class HttpConnection
{
    private bool _streamCloses;

    /// <summary>Writes the head of an answer that goes out in pieces.</summary>
    public void WriteHead(Exchange exchange, long contentLength)
    {
        _streamCloses = Closes(exchange);
        _streamLeft = exchange.Verb == Verb.Head ? 0 : contentLength;
        WriteHead(exchange, contentLength, _streamCloses, Head.IsHttp10);
    }

    /// <summary>Sends a piece of such an answer. False when the client is gone or too slow.</summary>
    public async ValueTask<bool> SendAsync(ReadOnlyMemory<byte> piece)
    {
        if (!await FlushAsync() || !await SendSlowlyAsync(piece))
        {
            return false;
        }

        _streamLeft -= piece.Length;
        return true;
    }

    /// <summary>Sends the answers that are waiting. False when the client is gone or too slow.</summary>
    public ValueTask<bool> FlushAsync()
    {
        Settle();
        if (_out.Length == 0 || _isGone)
        {
            return new ValueTask<bool>(!_isGone);
        }

        return TrySend() ? new ValueTask<bool>(true) : FlushRestAsync();
    }

    /// <summary>Sends what there is room for; whether that was all.</summary>
    private bool TrySend()
    {
        _out.RemoveFirst(Math.Max(0, _socket.Send(_out.Written)));
        return _out.Length == 0;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> FlushRestAsync()
    {
        bool all = await SendSlowlyAsync(_out.WrittenMemory);
        _out.Clear();
        return all;
    }

    /// <summary>Sends as the client reads; one that reads too slowly is given up.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> SendSlowlyAsync(ReadOnlyMemory<byte> bytes)
    {
        int sent = 0;
        long start = 0;
        Turns? work = null;
        while (sent < bytes.Length && !_isGone)
        {
            int n = _socket.Send(bytes.Span[sent..]);
            if (n >= 0)
            {
                sent += n;
                continue;
            }

            if (n != StreamSocket.WouldBlock)
            {
                _isGone = true;
                break;
            }

            if (start == 0)
            {
                start = _server.Now;
                work = LeaveWork();
                Input.Shrink(Buffers.Parked);
                if (!TryPark(HeldBytes + (_out.Length > 0 ? 0 : bytes.Length)))
                {
                    _isGone = true;
                    break;
                }

                _server.Watch(this, writable: true);
            }

            SetDeadline(start, sent, Limits.MinAnswerBytesPerSecond);
            BeginWaitForClient();
            await _writable.WaitAsync();
            EndWaitForClient();
            _isGone |= _expired;
        }

        if (start != 0)
        {
            Unpark();
            _server.Watch(this, writable: false);
            Volatile.Write(ref _deadline, long.MaxValue);
            _isGone |= work is not null && !_isGone && !await EnterWorkAsync(work);
        }

        return !_isGone;
    }

    private void WriteHead(Exchange exchange, long contentLength, bool closes, bool isHttp10)
    {
        _out.Append(StatusLine.Of(exchange.Status));
        if (exchange.Status != 204)
        {
            _out.Append("content-length: "u8);
            _out.Number(contentLength);
            _out.Append(exchange.ContentTypeLine);
        }

        _out.Append(_server.Date.Line);
        if (exchange.AnswerHeaders.Length > 0)
        {
            _out.Append(exchange.AnswerHeaders.Written);
        }

        if (closes)
        {
            _out.Append("connection: close\r\n"u8);
        }
        else if (isHttp10)
        {
            _out.Append("connection: keep-alive\r\n"u8);
        }

        _out.Append("\r\n"u8);
    }
}
