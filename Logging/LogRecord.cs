using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Logging;

/// <summary>What one line says, before it has a form.</summary>
internal readonly ref struct LogRecord
{
    /// <summary>Bytes; a longer message is cut off and longer fields are left out, so that one line cannot fill the queue.</summary>
    public const int MaxBytes = 16 * 1024;

    private readonly ReadOnlySpan<byte> _fields;

    /// <param name="ticks">UTC, in units of 100 ns since year 1.</param>
    /// <param name="fields">As <see cref="LogFields.Encoded"/> has them.</param>
    public LogRecord(
        long ticks, LogLevel level, ReadOnlySpan<byte> area, ReadOnlySpan<byte> eventName, ReadOnlySpan<byte> message, ReadOnlySpan<byte> fields)
    {
        Ticks = ticks;
        Level = level;
        Area = area[..Math.Min(area.Length, byte.MaxValue)];
        Event = eventName;
        Message = message[..Math.Min(message.Length, MaxBytes / 2)];
        _fields = fields.Length <= MaxBytes - Message.Length ? fields : default; // fields are not cut: their reader trusts their form
    }

    public long Ticks { get; }

    public LogLevel Level { get; }

    public ReadOnlySpan<byte> Area { get; }

    public ReadOnlySpan<byte> Event { get; }

    public ReadOnlySpan<byte> Message { get; }

    public LogFieldReader Fields => new(_fields);
}
