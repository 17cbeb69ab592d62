using System.Text;
using Couic.Config;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Logging;

/// <summary>Where lines go, and what the writer itself has to say.</summary>
internal sealed partial class LogWriter
{
    private void Write(LogBatch batch)
    {
        for (int i = 0; i < batch.StretchCount; i++)
        {
            LogBatch.Stretch stretch = batch.Read(i, out ReadOnlySpan<byte> output, out ReadOnlySpan<byte> file);
            bool isLost = !TryWriteFile(stretch, file);
            _ = _output.TryWrite(output); // nobody to tell
            if (isLost)
            {
                SayFault();
            }
            else
            {
                SayRecovered();
            }
        }

        if (batch.Dropped > 0)
        {
            Put(LogLevel.Warning, "log_lines_dropped", "log lines dropped: the queue was full"u8, "count"u8, batch.Dropped, null);
            Write(_own);
        }
    }

    /// <summary>True also where there is no file.</summary>
    private bool TryWriteFile(in LogBatch.Stretch stretch, ReadOnlySpan<byte> lines)
    {
        if (stretch.Settings != _inForce)
        {
            _file.Close(); // another folder or rotation, or fewer files to keep
            _inForce = stretch.Settings;
            _fileDay = -1;
        }

        if (_inForce.Dir is not { } folder)
        {
            return true;
        }

        if (stretch.Day != _fileDay)
        {
            _fileDay = stretch.Day;
            _fileName = LogFileNames.For(_inForce.Rotation, new DateTime(stretch.Day * TimeSpan.TicksPerDay, DateTimeKind.Utc));
        }

        if (_file.TryWrite(folder, _fileName, _inForce.MaxLogFiles, lines, _inForce.MaxFileBytes, _inForce.MaxTotalBytes))
        {
            return true;
        }

        Interlocked.Add(ref _lostEver, stretch.Lines);
        _lostUnsaid += stretch.Lines;
        return false;
    }

    /// <summary>Once per failure, to standard output: the file is what fails.</summary>
    private void SayFault()
    {
        if (!_isFaultSaid)
        {
            _isFaultSaid = true;
            Put(LogLevel.Error, "log_file_failed", "log file failed; lines are lost until it works again"u8, default, 0, _file.Fault);
            _own.Read(0, out ReadOnlySpan<byte> output, out _);
            _ = _output.TryWrite(output);
        }
    }

    private void SayRecovered()
    {
        if (_lostUnsaid > 0 && _inForce.Dir is not null)
        {
            long lost = _lostUnsaid;
            (_lostUnsaid, _isFaultSaid) = (0, false);
            Put(LogLevel.Warning, "log_file_recovered", "log file works again"u8, "lost"u8, lost, null);
            Write(_own); // if it fails again, the next batch says why
        }
    }

    /// <summary>Makes a line of the writer's own, the only one in its batch.</summary>
    private void Put(LogLevel level, string eventName, ReadOnlySpan<byte> message, ReadOnlySpan<byte> key, long number, string? cause)
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

        _own.Clear();
        _own.TryAppend(
            new LogRecord(_time.GetUtcNow().Ticks, level, "log"u8, Encoding.ASCII.GetBytes(eventName), message, fields), _inForce);
    }
}
