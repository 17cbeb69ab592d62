using Microsoft.Win32.SafeHandles;
using static Couic.Native.OpenSsl;

namespace Couic.Native;

/// <summary>How far a handshake has come.</summary>
internal enum HandshakeStep : byte
{
    /// <summary>The client has to send more.</summary>
    Waits,
    Done,
    Failed,
}

/// <summary>
/// TLS on a connection that a client has opened. The library sees only what this class has received: at most one buffer per call, so that no
/// client can keep a call busy. What it has to send waits here until the socket takes it. One thread at a time may use and dispose it.
/// </summary>
internal sealed unsafe class TlsSession : SafeHandleZeroOrMinusOneIsInvalid
{
    /// <summary>The plain text of a record (RFC 8446, 5.1), and the most that encryption adds to it.</summary>
    private const int MaxRecordBytes = 16 * 1024, MaxOverhead = 512;

    /// <summary>What a client may send in a row without a byte of data, such as key updates; a record has to be complete before it yields any.</summary>
    private const int MaxSilentBytes = 2 * (MaxRecordBytes + MaxOverhead);

    /// <summary>What may wait for the socket beside data: alerts and answers to key updates.</summary>
    private const int MaxOwnBytes = 4 * 1024;

    /// <summary>A buffer of the library that was larger once is replaced when the session is idle.</summary>
    private const int MaxIdleBytes = 2 * 1024;

    private const int Reset = -104; // ECONNRESET, negated

    [ThreadStatic]
    private static byte[]? _scratch;

    private nint _input;
    private nint _output;
    private bool _mayHoldData = true; // the client's first request may have come with the end of the handshake
    private bool _hasSaidEnd;
    private int _silentBytes;
    private int _end;
    private int _sendFault;
    private int _largestInput;
    private int _largestOutput;

    /// <summary>Plain text whose record the socket has not taken whole yet.</summary>
    private int _held;

    public TlsSession(TlsContext context)
        : base(ownsHandle: true)
    {
        SetHandle(SSL_new(context));
        if (IsInvalid)
        {
            throw new InvalidOperationException($"create a TLS session: {TakeError()}");
        }

        _input = NewBuffer();
        _output = NewBuffer();
        SSL_set_bio(handle, _input, _output); // they belong to the session
        SSL_set_accept_state(handle);
    }

    /// <summary>Whether the client sends no more data, or the session has failed.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Why the handshake failed, as the library says it.</summary>
    public string Fault { get; private set; } = string.Empty;

    private static Span<byte> Scratch => _scratch ??= GC.AllocateUninitializedArray<byte>(MaxRecordBytes + MaxOverhead, pinned: true);

    /// <summary>Continues the handshake with one receipt.</summary>
    public HandshakeStep Handshake(StreamSocket socket)
    {
        ERR_clear_error();
        int received = Feed(socket);
        int result = SSL_do_handshake(handle);
        if (result != 1 && SSL_get_error(handle, result) is not (SSL_ERROR_WANT_READ or SSL_ERROR_WANT_WRITE))
        {
            Fault = TakeError();
            Flush(socket); // the alert that says why
            return HandshakeStep.Failed;
        }

        bool isFlushed = Flush(socket);
        if (result == 1 && isFlushed)
        {
            _largestInput = _largestOutput = int.MaxValue; // what a handshake needs is several times what a request needs
            return HandshakeStep.Done;
        }

        bool isGone = received != StreamSocket.WouldBlock && received <= 0;
        Fault = isGone ? "the client closed the connection" : string.Empty;
        return isGone || HasEnded ? HandshakeStep.Failed : HandshakeStep.Waits;
    }

    /// <inheritdoc cref="StreamSocket.Receive"/>
    public int Receive(StreamSocket socket, Span<byte> destination)
    {
        int length = _mayHoldData ? Read(destination) : 0;
        while (!HasEnded && length < destination.Length)
        {
            int received = Feed(socket);
            if (received <= 0)
            {
                if (received != StreamSocket.WouldBlock)
                {
                    End(received);
                }

                break;
            }

            int read = Read(destination[length..]);
            length += read;
            _silentBytes = read > 0 ? 0 : _silentBytes + received;
            if (_silentBytes > MaxSilentBytes)
            {
                End(Reset);
            }

            if (received < Scratch.Length)
            {
                break; // the socket is drained
            }
        }

        Tidy(socket);
        return length > 0 ? length : HasEnded ? _end : StreamSocket.WouldBlock;
    }

    /// <summary>
    /// Encrypts and sends. The plain text of a record counts as sent once the socket has taken the whole record; until then the caller has to
    /// offer the same bytes again.
    /// </summary>
    public int Send(StreamSocket socket, ReadOnlySpan<byte> source)
    {
        int sent = 0;
        if (Pending > 0)
        {
            if (!Flush(socket))
            {
                return _sendFault;
            }

            sent = _held;
        }

        _held = 0;
        ERR_clear_error();
        fixed (byte* bytes = source)
        {
            while (sent < source.Length)
            {
                int taken = SSL_write(handle, bytes + sent, Math.Min(source.Length - sent, MaxRecordBytes));
                if (taken <= 0)
                {
                    ERR_clear_error();
                    End(Reset);
                    return sent > 0 ? sent : Reset;
                }

                if (!Flush(socket))
                {
                    _held = taken;
                    return sent > 0 ? sent : _sendFault;
                }

                sent += taken;
            }
        }

        return sent;
    }

    /// <summary>Says that no more data comes, as far as the socket takes that at once.</summary>
    public void EndSending(StreamSocket socket)
    {
        if (!_hasSaidEnd)
        {
            _hasSaidEnd = true;
            ERR_clear_error();
            _ = SSL_shutdown(handle);
            ERR_clear_error();
            Flush(socket);
        }
    }

    protected override bool ReleaseHandle()
    {
        SSL_free(handle); // and the buffers
        return true;
    }

    private int Pending => (int)BIO_ctrl(_output, BIO_CTRL_PENDING, 0, null);

    /// <summary>Bytes that wait in the library's buffers, in both directions.</summary>
    internal int BufferedBytes => Pending + (int)BIO_ctrl(_input, BIO_CTRL_PENDING, 0, null);

    /// <summary>Passes one receipt to the library. Returns its length, 0 at the end of the stream, or a negative errno.</summary>
    private int Feed(StreamSocket socket)
    {
        int received = socket.ReceiveRaw(Scratch);
        if (received > 0)
        {
            _largestInput = Math.Max(_largestInput, received);
            fixed (byte* bytes = Scratch)
            {
                if (BIO_write(_input, bytes, received) != received)
                {
                    return Reset; // out of memory
                }
            }
        }

        return received;
    }

    /// <summary>Decrypts what the library holds. Fewer bytes than there is room for: it holds no whole record any more.</summary>
    private int Read(Span<byte> destination)
    {
        int length = 0;
        ERR_clear_error();
        fixed (byte* bytes = destination)
        {
            while (length < destination.Length)
            {
                int n = SSL_read(handle, bytes + length, destination.Length - length);
                if (n <= 0)
                {
                    int error = SSL_get_error(handle, n);
                    if (error is not (SSL_ERROR_WANT_READ or SSL_ERROR_WANT_WRITE))
                    {
                        ERR_clear_error();
                        End(error == SSL_ERROR_ZERO_RETURN ? 0 : Reset);
                    }

                    break;
                }

                length += n;
            }
        }

        _mayHoldData = length == destination.Length;
        return length;
    }

    /// <summary>Sends what waits. False: the socket took not all of it, and <see cref="_sendFault"/> says why.</summary>
    private bool Flush(StreamSocket socket)
    {
        byte* bytes;
        int left;
        while ((left = (int)BIO_ctrl(_output, BIO_CTRL_INFO, 0, &bytes)) > 0)
        {
            _largestOutput = Math.Max(_largestOutput, left);
            int sent = socket.SendRaw(new ReadOnlySpan<byte>(bytes, left));
            if (sent < 0)
            {
                _sendFault = sent;
                return false;
            }

            fixed (byte* scratch = Scratch)
            {
                while (sent > 0)
                {
                    sent -= BIO_read(_output, scratch, Math.Min(sent, Scratch.Length)); // takes out what was sent
                }
            }
        }

        return true;
    }

    /// <summary>Sends alerts and answers to key updates; replaces buffers of the library that keep the size of what they once held.</summary>
    private void Tidy(StreamSocket socket)
    {
        if (Pending > 0 && !Flush(socket) && Pending > MaxRecordBytes + MaxOverhead + MaxOwnBytes)
        {
            End(Reset);
        }

        if (_largestInput > MaxIdleBytes && BIO_ctrl(_input, BIO_CTRL_PENDING, 0, null) == 0)
        {
            _largestInput = 0;
            SSL_set0_rbio(handle, _input = NewBuffer());
        }

        if (_largestOutput > MaxIdleBytes && Pending == 0)
        {
            _largestOutput = 0;
            SSL_set0_wbio(handle, _output = NewBuffer());
        }
    }

    private void End(int result)
    {
        HasEnded = true;
        _end = result;
    }

    private static nint NewBuffer() =>
        BIO_new(BIO_s_mem()) is var buffer and not 0 ? buffer : throw new InvalidOperationException($"create a TLS buffer: {TakeError()}");
}
