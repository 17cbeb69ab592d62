using Couic.Config;

namespace Couic.Logging;

/// <summary>
/// Two batches of bounded size: callers fill one while the writer empties the other. A caller holds the lock while it puts one line
/// together and never waits for the writer: what does not fit is dropped and counted. So each request pays for its own line, and the
/// writer, which only moves bytes, never takes a processor away for long.
/// </summary>
#pragma warning disable CA1001 // its events are never closed: a late line may still come from any thread
internal sealed class LogQueue
#pragma warning restore CA1001
{
    /// <summary>Bytes of each batch: about 30,000 audit lines, a fifth of a second at 150,000 requests a second. Taken as they are needed.</summary>
    public const int DefaultBytes = 6 * 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly AutoResetEvent _wake = new(false);
    private readonly AutoResetEvent _hurry = new(false);
    private readonly int _half;
    private LoggingSettings _settings;
    private LogBatch _filling;
    private LogBatch _spare;
    private long _droppedEver;

    /// <param name="reader">Who reads the lines for standard output.</param>
    public LogQueue(LoggingSettings settings, LogReader reader, int bytes)
    {
        _settings = settings;
        _filling = new LogBatch(bytes, reader);
        _spare = new LogBatch(bytes, reader);
        _half = bytes / 2;
    }

    /// <summary>Lines that found no room since the start.</summary>
    public long Dropped => Interlocked.Read(ref _droppedEver);

    /// <summary>For the lines that come from now on.</summary>
    public void Apply(LoggingSettings settings)
    {
        lock (_lock)
        {
            _settings = settings;
        }
    }

    public void Write(in LogRecord record)
    {
        int before, after;
        lock (_lock)
        {
            before = _filling.Length;
            _droppedEver += _filling.TryAppend(record, _settings) ? 0 : 1;
            after = _filling.Length;
        }

        // Once per batch, not once per line: waking a thread costs more than the line.
        if (before == 0)
        {
            _wake.Set();
        }

        if (before < _half && after >= _half)
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

    /// <summary>All lines that are queued; valid until the next call.</summary>
    public LogBatch Take()
    {
        lock (_lock)
        {
            _spare.Clear();
            (_filling, _spare) = (_spare, _filling);
            return _spare;
        }
    }
}
