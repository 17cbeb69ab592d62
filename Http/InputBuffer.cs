namespace Couic.Http;

/// <summary>
/// Bytes of one connection as they came in, in one piece:
/// <code>[ head | body so far | raw: not looked at yet | free ]</code>
/// A chunked body loses its framing in place. Holds no memory when it is empty and released. Not thread-safe.
/// </summary>
internal sealed class InputBuffer
{
    private byte[] _array = [];
    private int _start;
    private int _headEnd;
    private int _bodyStart;
    private int _bodyEnd;
    private int _raw;
    private int _end;

    /// <summary>Everything from the request's first byte on, as long as no body was taken.</summary>
    public ReadOnlySpan<byte> Request => _array.AsSpan(_start, _end - _start);

    public ReadOnlySpan<byte> Body => _array.AsSpan(_bodyStart, _bodyEnd - _bodyStart);

    public ReadOnlyMemory<byte> BodyMemory => _array.AsMemory(_bodyStart, _bodyEnd - _bodyStart);

    public int BodyLength => _bodyEnd - _bodyStart;

    public ReadOnlySpan<byte> Raw => _array.AsSpan(_raw, _end - _raw);

    public bool IsEmpty => _end == _start;

    public int Capacity => _array.Length;

    /// <summary>The head is complete; what follows is body, or the next request.</summary>
    public void BeginBody(int headLength) => _headEnd = _bodyStart = _bodyEnd = _raw = _start + headLength;

    /// <summary>Takes raw bytes as body, throwing away the framing in front of them.</summary>
    public void TakeBody(int framing, int data)
    {
        _raw += framing;
        if (_raw != _bodyEnd)
        {
            _array.AsSpan(_raw, data).CopyTo(_array.AsSpan(_bodyEnd));
        }

        _bodyEnd += data;
        _raw += data;
        if (_raw == _end)
        {
            _raw = _end = _bodyEnd;
        }
    }

    /// <summary>The reader of the body is done with its first bytes.</summary>
    public void ConsumeBody(int count) => _bodyStart += count;

    /// <summary>The body is of no use any more: its memory is given back.</summary>
    public void DropBody()
    {
        _bodyStart = _bodyEnd;
        Compact();
        Shrink(BufferPool.Working);
    }

    /// <summary>The request is over: the next one starts at what is raw.</summary>
    public void EndRequest()
    {
        _start = _headEnd = _bodyStart = _bodyEnd = _raw;
        if (_start == _end)
        {
            _start = _headEnd = _bodyStart = _bodyEnd = _raw = _end = 0;
        }
    }

    /// <summary>Room to receive into: at least one byte, by moving what is there or by growing.</summary>
    public Span<byte> Free()
    {
        if (_array.Length - _end < Math.Max(_array.Length / 4, 1))
        {
            Compact();
            if (_array.Length - _end < Math.Max(_array.Length / 4, 1))
            {
                MoveTo(BufferPool.Rent(Math.Max(_array.Length * 2, BufferPool.Working)));
            }
        }

        return _array.AsSpan(_end);
    }

    public void Received(int count) => _end += count;

    /// <summary>Before a wait: holds no more memory than what is there needs, or <paramref name="least"/> bytes if that is more.</summary>
    public void Shrink(int least)
    {
        if (IsEmpty)
        {
            Release();
        }
        else if (_array.Length > 2 * Math.Max(_end - _start, least))
        {
            Compact();
            MoveTo(BufferPool.Rent(Math.Max(_end, least)));
        }
    }

    public void Release()
    {
        if (_array.Length > 0)
        {
            BufferPool.Return(_array);
            _array = [];
        }

        _start = _headEnd = _bodyStart = _bodyEnd = _raw = _end = 0;
    }

    /// <summary>Closes the gaps in front of the head, of the body and of the raw bytes.</summary>
    private void Compact()
    {
        int head = _headEnd - _start, body = _bodyEnd - _bodyStart, raw = _end - _raw;
        Span<byte> all = _array;
        all.Slice(_start, head).CopyTo(all);
        all.Slice(_bodyStart, body).CopyTo(all[head..]);
        all.Slice(_raw, raw).CopyTo(all[(head + body)..]);
        _start = 0;
        _headEnd = _bodyStart = head;
        _bodyEnd = _raw = head + body;
        _end = head + body + raw;
    }

    private void MoveTo(byte[] array)
    {
        _array.AsSpan(0, _end).CopyTo(array);
        BufferPool.Return(_array);
        _array = array;
    }
}
