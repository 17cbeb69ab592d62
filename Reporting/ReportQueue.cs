namespace Couic.Reporting;

/// <summary>
/// The reports that wait, oldest first, in a ring of fixed size: when it is full, or its metadata take too much memory, the
/// oldest go and are counted. Adding allocates nothing and waits for nobody but a copy of one slice. Thread-safe.
/// </summary>
internal sealed class ReportQueue
{
    /// <summary>Reports.</summary>
    public const int Capacity = 16_384;

    /// <summary>Metadata of all of them, in bytes: a kilobyte for each. A request's body could hold megabytes.</summary>
    public const long MaxMetadataBytes = 16 * 1024 * 1024;

    private readonly Lock _gate = new();
    private readonly Report[] _ring = new Report[Capacity];
    private long _head;
    private long _tail;
    private long _metadataBytes;
    private long _dropped;

    /// <summary>How many wait.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
            {
                return (int)(_tail - _head);
            }
        }
    }

    /// <summary>How many were lost since the start.</summary>
    public long Dropped
    {
        get
        {
            lock (_gate)
            {
                return _dropped;
            }
        }
    }

    public void Add(in Report report)
    {
        int bytes = report.Metadata?.Length ?? 0;
        lock (_gate)
        {
            while (_tail > _head && (_tail - _head == Capacity || _metadataBytes + bytes > MaxMetadataBytes))
            {
                Forget();
                _dropped++;
            }

            _ring[_tail++ % Capacity] = report;
            _metadataBytes += bytes;
        }
    }

    /// <summary>Copies the oldest reports and leaves them in the queue until <see cref="Confirm"/>.</summary>
    /// <param name="first">The number of the first one.</param>
    /// <returns>How many there are, at most what the slice holds.</returns>
    public int Peek(Span<Report> slice, out long first)
    {
        lock (_gate)
        {
            first = _head;
            int count = (int)Math.Min(_tail - _head, slice.Length);
            for (int i = 0; i < count; i++)
            {
                slice[i] = _ring[(_head + i) % Capacity];
            }

            return count;
        }
    }

    /// <summary>Takes a slice out that was sent, or that nobody wants.</summary>
    /// <param name="lost">Whether its reports count as dropped.</param>
    public void Confirm(long first, int count, bool lost = false)
    {
        lock (_gate)
        {
            // Some may have made room meanwhile; they were sent all the same.
            long gone = Math.Min(Math.Max(_head - first, 0), count);
            _dropped += lost ? count - gone : -gone;
            while (_head < first + count)
            {
                Forget();
            }
        }
    }

    public void Clear()
    {
        lock (_gate)
        {
            while (_head < _tail)
            {
                Forget();
            }
        }
    }

    private void Forget()
    {
        ref Report oldest = ref _ring[_head++ % Capacity];
        _metadataBytes -= oldest.Metadata?.Length ?? 0;
        oldest = default;
    }
}
