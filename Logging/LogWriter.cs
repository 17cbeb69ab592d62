using Couic.Config;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Logging;

/// <summary>
/// The thread that takes lines from the queue, formats them and writes them to standard output and to the file. Standard output gets text,
/// but the configured format where there is no file.
/// </summary>
internal sealed class LogWriter : IDisposable
{
    /// <summary>How long a line waits for others to be written with.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(10);

    /// <summary>How long stopping waits for a reader of standard output that is stuck.</summary>
    private static readonly TimeSpan StopTime = TimeSpan.FromSeconds(2);

    private readonly LogQueue _queue;
    private readonly ILogOutput _output;
    private readonly TimeProvider _time;
    private readonly LogFile _file;
    private readonly LineBuffer _outputLines = new();
    private readonly LineBuffer _fileLines = new();
    private readonly byte[] _ownRecord = new byte[1024];
    private readonly Thread _thread;
    private LoggingSettings _settings;
    private LoggingSettings _inForce;
    private string _fileName = string.Empty;
    private int _fileLineCount;
    private long _lostEver;
    private long _lostUnsaid;
    private bool _isFaultSaid;
    private volatile bool _isStopping;

    public LogWriter(LogQueue queue, LoggingSettings settings, ILogOutput output, TimeProvider time)
    {
        _queue = queue;
        _settings = _inForce = settings;
        _output = output;
        _time = time;
        _file = new LogFile(time);
        _thread = new Thread(Run) { IsBackground = true, Name = "log" };
        _thread.Start();
    }

    /// <summary>Lines of the file that a full disk or the like has cost since the start.</summary>
    public long Lost => Interlocked.Read(ref _lostEver);

    /// <summary>From the next batch on.</summary>
    public void Apply(LoggingSettings settings)
    {
        Volatile.Write(ref _settings, settings);
        _queue.Wake();
    }

    /// <summary>Writes what is queued and ends the thread.</summary>
    public void Dispose()
    {
        _isStopping = true;
        _queue.Wake();
        if (_thread.Join(StopTime))
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
            WriteBatch();
        }
        while (!isLast);
    }

    private void WriteBatch()
    {
        LoggingSettings settings = Volatile.Read(ref _settings);
        if (settings != _inForce)
        {
            _file.Close(); // another folder or rotation, or fewer files to keep
            _inForce = settings;
        }

        ReadOnlySpan<byte> records = _queue.Take(out long dropped);
        while (!records.IsEmpty)
        {
            var record = new LogRecord(records);
            Format(record);
            records = records[record.Length..];
        }

        if (dropped > 0)
        {
            Say(LogLevel.Warning, "log_lines_dropped", "log lines dropped: the queue was full"u8, "count"u8, dropped, null);
        }

        FlushFile();
        FlushOutput();
    }

    private void Format(in LogRecord record)
    {
        FormatForOutput(record);
        if (_inForce.Dir is null)
        {
            return;
        }

        string name = LogFileNames.For(_inForce.Rotation, new DateTime(record.Ticks, DateTimeKind.Utc));
        if (name != _fileName)
        {
            FlushFile();
            _fileName = name;
        }

        FormatForFile(record);
    }

    private void FormatForOutput(in LogRecord record)
    {
        if (_output.IsJournal)
        {
            _outputLines.Append(Levels.Priority(record.Level));
        }

        Append(_outputLines, record, _inForce.Dir is null ? _inForce.Format : LogFormat.Text);
    }

    private void FormatForFile(in LogRecord record)
    {
        Append(_fileLines, record, _inForce.Format);
        _fileLineCount++;
    }

    private static void Append(LineBuffer lines, in LogRecord record, LogFormat format)
    {
        if (format == LogFormat.Json)
        {
            JsonFormat.Append(lines, record);
        }
        else
        {
            TextFormat.Append(lines, record);
        }
    }

    private void FlushFile()
    {
        if (_inForce.Dir is { } folder && _fileLines.Length > 0)
        {
            if (_file.TryWrite(folder, _fileName, _inForce.MaxLogFiles, _fileLines.Written))
            {
                SayRecovered(folder);
            }
            else
            {
                Interlocked.Add(ref _lostEver, _fileLineCount);
                _lostUnsaid += _fileLineCount;
                SayFault();
            }
        }

        _fileLines.Clear();
        _fileLineCount = 0;
    }

    /// <summary>Once per failure, to standard output: the file is what fails.</summary>
    private void SayFault()
    {
        if (!_isFaultSaid)
        {
            _isFaultSaid = true;
            FormatForOutput(Own(LogLevel.Error, "log_file_failed", "log file failed; lines are lost until it works again"u8, default, 0, _file.Fault));
        }
    }

    private void SayRecovered(string folder)
    {
        if (_lostUnsaid == 0)
        {
            return;
        }

        long lost = _lostUnsaid;
        (_lostUnsaid, _isFaultSaid) = (0, false);
        LogRecord record = Own(LogLevel.Warning, "log_file_recovered", "log file works again"u8, "lost"u8, lost, null);
        FormatForOutput(record);
        _fileLines.Clear();
        FormatForFile(record);
        _ = _file.TryWrite(folder, _fileName, _inForce.MaxLogFiles, _fileLines.Written); // if not, the next batch says why
    }

    private void FlushOutput()
    {
        if (_outputLines.Length > 0)
        {
            _ = _output.TryWrite(_outputLines.Written); // nobody to tell
            _outputLines.Clear();
        }
    }

    private void Say(LogLevel level, string eventName, ReadOnlySpan<byte> message, ReadOnlySpan<byte> key, long number, string? cause) =>
        Format(Own(level, eventName, message, key, number, cause));

    /// <summary>A line of the writer's own; valid until the next one.</summary>
    private LogRecord Own(LogLevel level, string eventName, ReadOnlySpan<byte> message, ReadOnlySpan<byte> key, long number, string? cause)
    {
        var fields = new LogFields(stackalloc byte[LogFields.UsualBytes]);
        if (!key.IsEmpty)
        {
            fields.Add(key, number);
        }

        if (cause is not null)
        {
            fields.Add("cause"u8, cause);
        }

        LogRecord.Write(_ownRecord, _time.GetUtcNow().Ticks, level, "log"u8, eventName, message, fields.Encoded);
        return new LogRecord(_ownRecord);
    }
}
