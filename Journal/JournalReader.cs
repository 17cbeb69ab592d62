namespace Couic.Journal;

/// <summary>
/// Reads the frames of a journal one after the other, in bounded memory, up to its end or to the first that is not whole. Nothing after
/// that is trusted: a later frame may replace what a lost one had ended. Not thread-safe.
/// </summary>
internal sealed class JournalReader(Stream file)
{
    private const int MaxFrameBytes = JournalFormat.FrameHead + ushort.MaxValue;
    private readonly byte[] _buffer = new byte[4 * MaxFrameBytes];
    private int _start;
    private int _end;
    private bool _isAtEnd;

    public JournalHeader Header { get; private set; }

    /// <summary>Bytes of the header and of the whole frames read so far.</summary>
    public long Offset { get; private set; }

    /// <summary>Why reading ended before the end of the file; null when it did not.</summary>
    public string? Fault { get; private set; }

    /// <summary>Whether the fault is an end that was not written completely, as after a power failure.</summary>
    public bool IsTorn { get; private set; }

    /// <summary>Reads the header. False with <see cref="Fault"/> when this is not a journal that can be read.</summary>
    public bool TryStart()
    {
        Fill();
        ReadOnlySpan<byte> head = _buffer.AsSpan(_start, _end - _start);
        if (Fault is not null)
        {
            return false;
        }

        if (!JournalFormat.TryReadHeader(head, out JournalHeader header))
        {
            IsTorn = head.Length < JournalFormat.HeaderBytes;
            Fault = IsTorn ? $"it has {head.Length} bytes, fewer than its header" : "its header is damaged";
            return false;
        }

        Header = header;
        if (header.Version > JournalFormat.Version)
        {
            Fault = $"a newer couic wrote it (format {header.Version}, this one reads {JournalFormat.Version})";
            return false;
        }

        Take(JournalFormat.HeaderBytes);
        return true;
    }

    /// <summary>The next payload, valid until the next call. False at the end, or with <see cref="Fault"/> at damage.</summary>
    public bool TryRead(out ReadOnlyMemory<byte> payload)
    {
        payload = default;
        int length = JournalFormat.FrameLength(_buffer.AsSpan(_start, _end - _start));
        if (length == 0 || length > _end - _start)
        {
            Fill();
            length = JournalFormat.FrameLength(_buffer.AsSpan(_start, _end - _start));
        }

        ReadOnlyMemory<byte> rest = _buffer.AsMemory(_start, _end - _start);
        if (Fault is not null || rest.IsEmpty)
        {
            return false;
        }

        if (length == 0 || length > rest.Length)
        {
            (IsTorn, Fault) = (true, $"the record at byte {Offset} is not complete");
            return false;
        }

        if (length < 0 || !JournalFormat.IsIntact(rest.Span[..length], Header.Salt))
        {
            // A file that grew before its content reached the disk ends in zeros.
            IsTorn = _isAtEnd && !rest.Span.ContainsAnyExcept((byte)0);
            Fault = $"the record at byte {Offset} is damaged";
            return false;
        }

        payload = rest[JournalFormat.FrameHead..length];
        Take(length);
        return true;
    }

    private void Take(int bytes)
    {
        _start += bytes;
        Offset += bytes;
    }

    private void Fill()
    {
        _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
        (_start, _end) = (0, _end - _start);
        try
        {
            while (!_isAtEnd && _end < _buffer.Length)
            {
                int count = file.Read(_buffer, _end, _buffer.Length - _end);
                _end += count;
                _isAtEnd = count == 0;
            }
        }
        catch (IOException e)
        {
            Fault = $"it cannot be read after byte {Offset}: {Native.IoErrors.Cause(e)}";
        }
    }
}
