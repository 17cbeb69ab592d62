using System.Text;
using Microsoft.Extensions.Logging;

namespace Couic.Logging.Abstractions;

/// <summary>
/// A logger that takes a line as UTF-8 and fields, without boxing or allocating: for lines that are written with every request. All
/// other lines go through [LoggerMessage] methods. The loggers of <c>LogFactory.CreateLogger(string)</c> are such ones; the
/// <c>ILogger&lt;T&gt;</c> wrapper of the framework hides it.
/// </summary>
public interface IUtf8Logger : ILogger
{
    /// <summary>Queues the line and returns; drops and counts it when the queue is full. Thread-safe.</summary>
    void Write(LogLevel level, LogEvent what, ref readonly LogFields fields);
}

public static class Utf8LoggerExtensions
{
    /// <summary><see cref="IUtf8Logger.Write"/> where the logger can do it, else the same line as a string. Nothing when the level is off.</summary>
    public static void Write(this ILogger logger, LogLevel level, LogEvent what, ref readonly LogFields fields)
    {
        if (logger is IUtf8Logger fast)
        {
            fast.Write(level, what, in fields);
        }
        else if (logger.IsEnabled(level))
        {
            logger.Log(level, what.Id, $"{Encoding.UTF8.GetString(what.Message)} {fields.ToString()}", null, static (text, _) => text);
        }
    }
}
