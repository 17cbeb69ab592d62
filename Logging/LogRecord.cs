using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Logging;

/// <summary>What one line says, before it has a form.</summary>
internal readonly ref struct LogRecord
{
    /// <summary>Bytes; a longer message is cut off and longer fields are left out, so that one line cannot fill the queue.</summary>
    public const int MaxBytes = 16 * 1024;

    /// <param name="ticks">UTC, in units of 100 ns since year 1.</param>
    public LogRecord(
        long ticks, LogLevel level, ReadOnlySpan<byte> area, ReadOnlySpan<byte> eventName, ReadOnlySpan<byte> message, LogFields fields)
    {
        Ticks = ticks;
        Level = level;
        Area = area[..Math.Min(area.Length, byte.MaxValue)];
        Event = eventName;
        Message = message[..Math.Min(message.Length, MaxBytes / 2)];
        Fields = fields.Text.Length <= MaxBytes - Message.Length ? fields : default; // fields are not cut: their reader trusts their form
    }

    /// <inheritdoc cref="LogRecord(long, LogLevel, ReadOnlySpan{byte}, ReadOnlySpan{byte}, ReadOnlySpan{byte}, LogFields)"/>
    public LogRecord(long ticks, LogLevel level, ReadOnlySpan<byte> area, LogEvent what, LogFields fields)
        : this(ticks, level, area, what.Name, what.Message, fields) => Text = what.Text;

    public long Ticks { get; }

    public LogLevel Level { get; }

    public ReadOnlySpan<byte> Area { get; }

    public ReadOnlySpan<byte> Event { get; }

    public ReadOnlySpan<byte> Message { get; }

    /// <summary>Message and event as a line for people has them; empty where they are not known to be safe for it.</summary>
    public ReadOnlySpan<byte> Text { get; }

    public LogFields Fields { get; }
}
