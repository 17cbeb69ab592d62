using Couic.Config;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Logging;

/// <summary>From records to bytes in two places, and what the writer itself has to say.</summary>
internal sealed partial class LogWriter
{
    private void Format(in LogRecord record)
    {
        Range line = FormatForOutput(record);
        if (_inForce.Dir is not null)
        {
            FormatForFile(record, line);
        }

        if (_outputLines.Length > ChunkBytes || _fileLines.Length > ChunkBytes)
        {
            FlushFile();
            FlushOutput();
        }
    }

    /// <returns>Where in the buffer the line is, without its priority.</returns>
    private Range FormatForOutput(in LogRecord record)
    {
        if (_output.IsJournal)
        {
            _outputLines.Append(Levels.Priority(record.Level));
        }

        int start = _outputLines.Length;
        Append(_outputLines, record, _inForce.Dir is null ? _inForce.Format : LogFormat.Text);
        return start.._outputLines.Length;
    }

    private void FormatForFile(in LogRecord record, Range line)
    {
        long day = record.Ticks / TimeSpan.TicksPerDay;
        if (day != _fileDay)
        {
            FlushFile();
            _fileDay = day;
            _fileName = LogFileNames.For(_inForce.Rotation, new DateTime(record.Ticks, DateTimeKind.Utc));
        }

        if (_inForce.Format == LogFormat.Text)
        {
            _fileLines.Append(_outputLines.Written[line]);
        }
        else
        {
            Append(_fileLines, record, _inForce.Format);
        }

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
        Append(_fileLines, record, _inForce.Format);
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

    /// <summary>A line of the writer's own. They are rare: each may have memory of its own.</summary>
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

        byte[] bytes = new byte[LogFields.UsualBytes * 2];
        LogRecord.Write(bytes, _time.GetUtcNow().Ticks, level, "log"u8, eventName, message, fields.Encoded);
        return new LogRecord(bytes);
    }
}
