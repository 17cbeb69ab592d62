using System.Runtime.InteropServices;
using Couic.Config;
using Couic.Logging.Abstractions;
using ZLogger;

namespace Couic.Logging;

/// <summary>
/// Two batches of bounded size: callers fill one while the writer empties the other. Each caller formats its own line and holds the lock
/// only to copy it. It never waits for the writer: a line that does not fit is dropped and counted. Thread-safe.
/// </summary>
/// <param name="kind">What standard output leads to.</param>
/// <param name="bytes">Of each batch.</param>
#pragma warning disable CA1001 // its events are never closed: a late line may still come from any thread
internal sealed class LogQueue(LoggingSettings settings, OutputKind kind, int bytes) : IAsyncLogProcessor
#pragma warning restore CA1001
{
    /// <summary>About 30,000 audit lines, a fifth of a second at 150,000 requests per second. Allocated as needed.</summary>
    public const int DefaultBytes = 6 * 1024 * 1024;

    private static readonly JsonFormatter Json = new();
    private static readonly TextFormatter Text = new(omitFieldsInMessage: false), TerminalText = new(omitFieldsInMessage: true);

    private readonly Lock _lock = new();
    private readonly AutoResetEvent _wake = new(false);
    private readonly AutoResetEvent _hurry = new(false);
    private volatile LoggingSettings _settings = settings;
    private LogBatch _filling = new(bytes);
    private LogBatch _spare = new(bytes);
    private long _dropped;

    /// <summary>Lines that were dropped since the start.</summary>
    public long Dropped => Interlocked.Read(ref _dropped);

    /// <summary>Takes effect for the lines that follow.</summary>
    public void Apply(LoggingSettings settings) => _settings = settings;

    /// <summary>Never throws and never waits: the caller serves a request.</summary>
    public void Post(IZLoggerEntry log)
    {
        LineBuffer output = LineBuffer.Rent(), file = LineBuffer.Rent();
        try
        {
            LoggingSettings settings = _settings;
            Format(log, settings, output, file);
            Add(new LogSegment(settings, log.LogInfo.Timestamp.Utc.UtcTicks / TimeSpan.TicksPerDay), output.Written, file.Written);
        }
        catch (Exception)
        {
            InternalErrors.Caught(Place.LogWriter);
            Interlocked.Increment(ref _dropped);
        }
        finally
        {
            file.Return();
            output.Return();
            log.Return();
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

    /// <summary>All queued lines; valid until the next call.</summary>
    public LogBatch Take()
    {
        lock (_lock)
        {
            _spare.Clear();
            (_filling, _spare) = (_spare, _filling);
            return _spare;
        }
    }

    public ValueTask DisposeAsync() => default;

    /// <summary>Standard output gets text, or without a file the configured format. The file's line stays empty if it is the same.</summary>
    private void Format(IZLoggerEntry entry, LoggingSettings settings, LineBuffer output, LineBuffer file)
    {
        int start = 0;
        if (kind == OutputKind.Journal)
        {
            output.Append(Levels.Priority(entry.LogInfo.LogLevel));
            start = output.Length;
        }

        bool isJson = settings.Format == LogFormat.Json;
        entry.FormatUtf8(output, isJson && settings.Dir is null ? Json : kind == OutputKind.Terminal ? TerminalText : Text);
        if (settings.Dir is null || (kind == OutputKind.Stream && !isJson))
        {
            return;
        }

        if (kind == OutputKind.Journal && !isJson)
        {
            file.Append(output.Written[start..]);
        }
        else
        {
            entry.FormatUtf8(file, isJson ? Json : Text);
        }
    }

    private void Add(in LogSegment segment, ReadOnlySpan<byte> output, ReadOnlySpan<byte> file)
    {
        int before, after;
        lock (_lock)
        {
            before = _filling.Length;
            _dropped += _filling.TryAdd(segment, output, file) ? 0 : 1;
            after = _filling.Length;
        }

        // Once per batch, not once per line: waking a thread costs more than a line.
        if (before == 0)
        {
            _wake.Set();
        }

        if (before < bytes / 2 && after >= bytes / 2)
        {
            _hurry.Set();
        }
    }
}

/// <summary>Lines of one day under the same settings.</summary>
/// <param name="Day">Since year 1 (UTC).</param>
internal record struct LogSegment(LoggingSettings Settings, long Day)
{
    public int OutputStart { get; init; }

    public int OutputEnd { get; set; }

    public int FileStart { get; init; }

    public int FileEnd { get; set; }

    public int Lines { get; set; }
}

/// <summary>Formatted lines, ready to be written. Not thread-safe.</summary>
internal sealed class LogBatch(int maxBytes)
{
    private readonly LineBuffer _output = new(1024);
    private readonly LineBuffer _file = new(1024);
    private readonly List<LogSegment> _segments = new(4);

    /// <summary>Bytes for standard output.</summary>
    public int Length => _output.Length;

    /// <summary>Lines that did not fit.</summary>
    public int Dropped { get; private set; }

    public int SegmentCount => _segments.Count;

    /// <param name="key">Settings and day of the line.</param>
    /// <returns>False when the line does not fit.</returns>
    public bool TryAdd(in LogSegment key, ReadOnlySpan<byte> output, ReadOnlySpan<byte> file)
    {
        if (Math.Max(_output.Length + output.Length, _file.Length + file.Length) > maxBytes)
        {
            Dropped++;
            return false;
        }

        Span<LogSegment> segments = CollectionsMarshal.AsSpan(_segments);
        if (segments.IsEmpty || segments[^1].Day != key.Day || segments[^1].Settings != key.Settings)
        {
            _segments.Add(key with { OutputStart = _output.Length, FileStart = _file.Length });
            segments = CollectionsMarshal.AsSpan(_segments);
        }

        _output.Append(output);
        _file.Append(file);
        ref LogSegment last = ref segments[^1];
        (last.OutputEnd, last.FileEnd) = (_output.Length, _file.Length);
        last.Lines++;
        return true;
    }

    /// <summary>One segment: the lines for standard output, and those for the file.</summary>
    public LogSegment Read(int index, out ReadOnlySpan<byte> output, out ReadOnlySpan<byte> file)
    {
        LogSegment segment = _segments[index];
        output = _output.Written[segment.OutputStart..segment.OutputEnd];
        file = segment.FileEnd == segment.FileStart ? output : _file.Written[segment.FileStart..segment.FileEnd];
        return segment;
    }

    public void Clear()
    {
        _output.Truncate(0);
        _file.Truncate(0);
        _segments.Clear();
        Dropped = 0;
    }
}
