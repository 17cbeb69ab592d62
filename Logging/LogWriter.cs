using Couic.Config;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;
using ZLogger;

namespace Couic.Logging;

/// <summary>The thread that takes lines from the queue and writes them to standard output and to the file.</summary>
internal sealed partial class LogWriter : IDisposable
{
    /// <summary>How long a line waits for others that are written with it.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(10);

    private readonly LogQueue _queue;
    private readonly ILogOutput _output;
    private readonly TimeSpan _stopTime;
    private readonly LogFile _file;
    private readonly Thread _thread;

    // The writer's own lines bypass the queue, which may be full.
    private readonly LogQueue _ownLines;
    private readonly ZLoggerLogger _log;
    private LoggingSettings _settings;
    private string _fileName = string.Empty;
    private long _fileDay = -1;
    private long _lost;
    private long _lostUnreported;
    private bool _isFaultReported;
    private volatile bool _isStopping;

    public LogWriter(LogQueue queue, LoggingSettings settings, ILogOutput output, ZLoggerOptions options, TimeSpan stopTime)
    {
        _queue = queue;
        _settings = settings;
        _output = output;
        _stopTime = stopTime;
        _file = new LogFile(options.TimeProvider!);
        _ownLines = new LogQueue(settings, output.Kind, 2 * LineFormatter.MaxBytes);
        _log = new ZLoggerLogger("log", _ownLines, options, null);
        _thread = new Thread(Run) { IsBackground = true, Name = "log" };
        _thread.Start();
    }

    /// <summary>Lines that could not be written to the file since the start.</summary>
    public long Lost => Interlocked.Read(ref _lost);

    /// <summary>Writes the queued lines and ends the thread.</summary>
    public void Dispose()
    {
        _isStopping = true;
        _queue.Wake();
        if (_thread.Join(_stopTime))
        {
            _file.Dispose();
            _output.Dispose();
        }
    }

    private void Run()
    {
        bool isLast;
        do
        {
            _queue.WaitForLines(_isStopping ? TimeSpan.Zero : Gather);
            isLast = _isStopping;
            TryWriteBatch();
        }
        while (!isLast);
    }

    private void TryWriteBatch()
    {
        try
        {
            InternalErrors.Enter(Place.LogWriter);
            Write(_queue.Take());
        }
#pragma warning disable CA1031 // any failure here costs lines, never the process
        catch (Exception)
#pragma warning restore CA1031
        {
            InternalErrors.Caught(Place.LogWriter); // not logged: the log is what fails
            Interlocked.Increment(ref _lost);
            _lostUnreported++;
            Thread.Sleep(Gather);
            _queue.Wake(); // the lines may still be there, and a queue that is not empty does not wake the writer
        }
    }

    private void Write(LogBatch batch)
    {
        for (int i = 0; i < batch.SegmentCount; i++)
        {
            LogSegment segment = batch.Read(i, out ReadOnlySpan<byte> output, out ReadOnlySpan<byte> file);
            bool isWritten = TryWriteFile(segment, file);
            _ = _output.TryWrite(output); // a failure cannot be reported anywhere
            if (!isWritten && !_isFaultReported)
            {
                // Once per failure, and to standard output only: the file is what fails.
                _isFaultReported = true;
                FileFailed(_log, _file.Fault);
                _ownLines.Take().Read(0, out output, out _);
                _ = _output.TryWrite(output);
            }
            else if (isWritten && _lostUnreported > 0 && _settings.Dir is not null)
            {
                FileRecovered(_log, _lostUnreported);
                (_lostUnreported, _isFaultReported) = (0, false);
                Write(_ownLines.Take()); // if the file fails again, the next batch reports the cause
            }
        }

        if (batch.Dropped > 0)
        {
            LinesDropped(_log, batch.Dropped);
            Write(_ownLines.Take());
        }
    }

    /// <summary>True also without a log file.</summary>
    private bool TryWriteFile(in LogSegment segment, ReadOnlySpan<byte> lines)
    {
        if (segment.Settings != _settings)
        {
            _file.Close(); // the folder, the rotation or the retention may be another
            _settings = segment.Settings;
            _ownLines.Apply(_settings);
            _fileDay = -1;
        }

        if (_settings.Dir is not { } folder)
        {
            return true;
        }

        if (segment.Day != _fileDay)
        {
            _fileDay = segment.Day;
            _fileName = LogFileNames.For(_settings.Rotation, new DateTime(segment.Day * TimeSpan.TicksPerDay, DateTimeKind.Utc));
        }

        if (_file.TryWrite(folder, _fileName, _settings.MaxLogFiles, lines, _settings.MaxFileBytes, _settings.MaxTotalBytes))
        {
            return true;
        }

        Interlocked.Add(ref _lost, segment.Lines);
        _lostUnreported += segment.Lines;
        return false;
    }

#pragma warning disable SYSLIB1015 // the values stand in fields, not in the message
    [LoggerMessage(EventName = "log_lines_dropped", Level = LogLevel.Warning, Message = "log lines dropped: the queue was full")]
    private static partial void LinesDropped(ILogger log, int count);

    [LoggerMessage(EventName = "log_file_failed", Level = LogLevel.Error, Message = "log file failed; lines are lost until it works again")]
    private static partial void FileFailed(ILogger log, string? cause);

    [LoggerMessage(EventName = "log_file_recovered", Level = LogLevel.Warning, Message = "log file works again")]
    private static partial void FileRecovered(ILogger log, long lost);
#pragma warning restore SYSLIB1015
}
