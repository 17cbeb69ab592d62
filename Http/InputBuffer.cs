namespace Couic.Http;

/// <summary>
/// Received bytes of one connection, in one piece:
/// <code>[ head | body so far | raw: not parsed yet | free ]</code>
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

    /// <summary>Everything from the request's first byte on, until a body is taken.</summary>
    public ReadOnlySpan<byte> Request => _array.AsSpan(_start, _end - _start);

    public ReadOnlySpan<byte> Body => _array.AsSpan(_bodyStart, _bodyEnd - _bodyStart);

    public ReadOnlyMemory<byte> BodyMemory => _array.AsMemory(_bodyStart, _bodyEnd - _bodyStart);

    public int BodyLength => _bodyEnd - _bodyStart;

    public ReadOnlySpan<byte> Raw => _array.AsSpan(_raw, _end - _raw);

    public bool IsEmpty => _end == _start;

    public int Capacity => _array.Length;

    /// <summary>The head is complete; what follows is body, or the next request.</summary>
    public void BeginBody(int headLength) => _headEnd = _bodyStart = _bodyEnd = _raw = _start + headLength;

    /// <summary>Takes raw bytes as body, and drops the framing before them.</summary>
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

    /// <summary>Drops the first bytes of the body.</summary>
    public void ConsumeBody(int count) => _bodyStart += count;

    /// <summary>Drops the body and releases its memory.</summary>
    public void DropBody()
    {
        _bodyStart = _bodyEnd;
        Compact();
        Shrink(BufferPool.Working);
    }

    /// <summary>Ends the request: the next one starts at the raw bytes.</summary>
    public void EndRequest()
    {
        _start = _headEnd = _bodyStart = _bodyEnd = _raw;
        if (_start == _end)
        {
            _start = _headEnd = _bodyStart = _bodyEnd = _raw = _end = 0;
        }
    }

    /// <summary>Space to receive into: at least one byte, by compacting or growing.</summary>
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

    /// <summary>Before a wait: keeps the memory that its content needs, at least <paramref name="least"/> bytes.</summary>
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

    /// <summary>Closes the gaps before the head, the body and the raw bytes.</summary>
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
