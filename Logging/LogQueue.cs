using Microsoft.Extensions.Logging;

namespace Couic.Logging;

/// <summary>
/// Two buffers of fixed size: callers fill one while the writer empties the other. A caller holds the lock for one copy of a few hundred
/// bytes and never waits for the writer: what does not fit is dropped and counted.
/// </summary>
#pragma warning disable CA1001 // its events are never closed: a late line may still come from any thread
internal sealed class LogQueue
#pragma warning restore CA1001
{
    /// <summary>Bytes of each buffer: about 30,000 audit lines, a fifth of a second at 150,000 requests a second.</summary>
    public const int DefaultBytes = 4 * 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly AutoResetEvent _wake = new(false);
    private readonly AutoResetEvent _hurry = new(false);
    private byte[] _filling;
    private byte[] _spare;
    private int _length;
    private long _dropped;
    private long _droppedEver;

    public LogQueue(int bytes = DefaultBytes)
    {
        _filling = new byte[bytes];
        _spare = new byte[bytes];
    }

    /// <summary>Lines that found no room since the start.</summary>
    public long Dropped => Interlocked.Read(ref _droppedEver);

    public void Write(long ticks, LogLevel level, ReadOnlySpan<byte> area, string? eventName, ReadOnlySpan<byte> message, ReadOnlySpan<byte> fields)
    {
        int before, after;
        lock (_lock)
        {
            before = _length;
            int written = LogRecord.Write(_filling.AsSpan(before), ticks, level, area, eventName, message, fields);
            after = _length = before + written;
            if (written == 0)
            {
                _dropped++;
                _droppedEver++;
            }
        }

        // Once per batch, not once per line: waking a thread costs more than the line.
        if (before == 0)
        {
            _wake.Set();
        }

        if (before < _filling.Length / 2 && after >= _filling.Length / 2)
        {
            _hurry.Set();
        }
    }

    /// <summary>Wakes the writer without a line.</summary>
    public void Wake()
    {
        _wake.Set();
        _hurry.Set();
    }

    /// <summary>Waits for a line, then a moment for more of them, so that a burst costs few system calls.</summary>
    public void WaitForLines(TimeSpan gather)
    {
        _wake.WaitOne();
        _hurry.WaitOne(gather);
    }

    /// <summary>All lines that are queued; valid until the next call. <paramref name="dropped"/>: how many found no room since the last call.</summary>
    public ReadOnlySpan<byte> Take(out long dropped)
    {
        lock (_lock)
        {
            (_filling, _spare) = (_spare, _filling);
            int length = _length;
            _length = 0;
            dropped = _dropped;
            _dropped = 0;
            return _spare.AsSpan(0, length);
        }
    }
}
