using System.Buffers.Binary;
using System.Text;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Logging;

/// <summary>One line on its way through the queue: written by the caller, read by the writer's thread.</summary>
internal readonly ref struct LogRecord
{
    /// <summary>Bytes; a longer message or longer fields are cut off, so that one line cannot fill the queue.</summary>
    public const int MaxBytes = 16 * 1024;

    /// <summary>Whole length (4), ticks (8), level (1), lengths of area (1), event (1), message (2), fields (2).</summary>
    private const int HeaderBytes = 19;

    private readonly ReadOnlySpan<byte> _bytes;

    /// <param name="bytes">Starts with a record; may go on behind it.</param>
    public LogRecord(ReadOnlySpan<byte> bytes) => _bytes = bytes[..BinaryPrimitives.ReadInt32LittleEndian(bytes)];

    public int Length => _bytes.Length;

    /// <summary>UTC, in units of 100 ns since year 1.</summary>
    public long Ticks => BinaryPrimitives.ReadInt64LittleEndian(_bytes[4..]);

    public LogLevel Level => (LogLevel)_bytes[12];

    public ReadOnlySpan<byte> Area => _bytes.Slice(HeaderBytes, AreaLength);

    public ReadOnlySpan<byte> Event => _bytes.Slice(HeaderBytes + AreaLength, EventLength);

    public ReadOnlySpan<byte> Message => _bytes.Slice(HeaderBytes + AreaLength + EventLength, MessageLength);

    public LogFieldReader Fields => new(_bytes.Slice(HeaderBytes + AreaLength + EventLength + MessageLength, FieldsLength));

    private int AreaLength => _bytes[13];

    private int EventLength => _bytes[14];

    private int MessageLength => BinaryPrimitives.ReadUInt16LittleEndian(_bytes[15..]);

    private int FieldsLength => BinaryPrimitives.ReadUInt16LittleEndian(_bytes[17..]);

    /// <summary>Writes a record. Returns its length, 0 when there is no room for it.</summary>
    public static int Write(
        Span<byte> destination, long ticks, LogLevel level, ReadOnlySpan<byte> area, string? eventName, ReadOnlySpan<byte> message, ReadOnlySpan<byte> fields)
    {
        area = area[..Math.Min(area.Length, byte.MaxValue)];
        ReadOnlySpan<char> name = eventName.AsSpan(0, Math.Min(eventName?.Length ?? 0, 64));
        int nameLength = Encoding.UTF8.GetByteCount(name); // at most three bytes a character: fits the byte
        message = message[..Math.Min(message.Length, MaxBytes / 2)];
        int used = HeaderBytes + area.Length + nameLength + message.Length;
        fields = fields.Length <= MaxBytes - used ? fields : default; // fields are not cut: their reader trusts their form
        int length = used + fields.Length;
        if (length > destination.Length)
        {
            return 0;
        }

        BinaryPrimitives.WriteInt32LittleEndian(destination, length);
        BinaryPrimitives.WriteInt64LittleEndian(destination[4..], ticks);
        destination[12] = (byte)level;
        destination[13] = (byte)area.Length;
        destination[14] = (byte)nameLength;
        BinaryPrimitives.WriteUInt16LittleEndian(destination[15..], (ushort)message.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(destination[17..], (ushort)fields.Length);
        Span<byte> rest = destination[HeaderBytes..];
        area.CopyTo(rest);
        Encoding.UTF8.GetBytes(name, rest[area.Length..]);
        message.CopyTo(rest[(area.Length + nameLength)..]);
        fields.CopyTo(rest[(area.Length + nameLength + message.Length)..]);
        return length;
    }
}
