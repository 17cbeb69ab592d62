using System.Buffers.Binary;
using System.Text;

namespace Couic.Logging.Abstractions;

/// <summary>What stands in one field; the byte that marks it in <see cref="LogFields.Encoded"/>.</summary>
public enum LogFieldKind : byte
{
    Text = 1,
    Number = 2,
    Natural = 3,
    Truth = 4,
    Fraction = 5,

    /// <summary>Text that stands in any format as it is.</summary>
    Word = 6,
}

/// <summary>
/// The <c>key=value</c> pairs of one log line, put together on the caller's stack without allocating. How they look (text or JSON,
/// quotes, escapes) is the writer's work, on its own thread: text may hold any bytes, also from outside.
/// <code>
/// var fields = new LogFields(stackalloc byte[LogFields.UsualBytes]);
/// fields.Add("client"u8, client.Utf8Name);
/// fields.Add("expiration"u8, entry.Expiration);
/// logger.Write(LogLevel.Information, Events.EntryCreated, "entry created"u8, ref fields);
/// </code>
/// Keys: lower case, <c>[a-z0-9_]</c>, at most 32 bytes. What does not fit in the buffer is cut off (text) or left out.
/// </summary>
public ref struct LogFields
{
    /// <summary>Enough for an audit line: six fields with names and tags at their longest.</summary>
    public const int UsualBytes = 512;

    /// <summary>Bytes of a field besides its key and value: kind, key length, value length.</summary>
    private const int Overhead = 4;

    private readonly Span<byte> _buffer;
    private int _length;

    public LogFields(Span<byte> buffer)
    {
        _buffer = buffer;
        _length = 0;
    }

    /// <summary>Per field: kind, key length, key, then two bytes of length and text, or eight bytes of number (little-endian).</summary>
    public readonly ReadOnlySpan<byte> Encoded => _buffer[.._length];

    /// <summary>UTF-8; other bytes are shown as U+FFFD.</summary>
    public void Add(scoped ReadOnlySpan<byte> key, scoped ReadOnlySpan<byte> text) => Add(LogFieldKind.Text, key, text);

    /// <summary>
    /// Text that is known to have letters, digits and <c>.:/_-</c> only, such as checked names and addresses: nobody looks for what would
    /// have to be escaped.
    /// </summary>
    public void AddWord(scoped ReadOnlySpan<byte> key, scoped ReadOnlySpan<byte> text) => Add(LogFieldKind.Word, key, text);

    private void Add(LogFieldKind kind, scoped ReadOnlySpan<byte> key, scoped ReadOnlySpan<byte> text)
    {
        int room = _buffer.Length - _length - key.Length - Overhead;
        if (room < 0)
        {
            return;
        }

        text = text[..Math.Min(text.Length, Math.Min(room, ushort.MaxValue))];
        Span<byte> value = Start(kind, key);
        BinaryPrimitives.WriteUInt16LittleEndian(value, (ushort)text.Length);
        text.CopyTo(value[2..]);
        _length += 2 + text.Length;
    }

    public void Add(scoped ReadOnlySpan<byte> key, scoped ReadOnlySpan<char> text)
    {
        int room = Math.Min(_buffer.Length - _length - key.Length - Overhead, ushort.MaxValue);
        if (room < 0)
        {
            return;
        }

        Span<byte> value = Start(LogFieldKind.Text, key);
        System.Text.Unicode.Utf8.FromUtf16(text, value.Slice(2, room), out _, out int written); // stops where the room ends
        BinaryPrimitives.WriteUInt16LittleEndian(value, (ushort)written);
        _length += 2 + written;
    }

    public void Add(scoped ReadOnlySpan<byte> key, string? text) => Add(key, text.AsSpan());

    public void Add(scoped ReadOnlySpan<byte> key, long number) => Add(LogFieldKind.Number, key, number);

    public void Add(scoped ReadOnlySpan<byte> key, int number) => Add(LogFieldKind.Number, key, number);

    public void Add(scoped ReadOnlySpan<byte> key, ulong number) => Add(LogFieldKind.Natural, key, (long)number);

    public void Add(scoped ReadOnlySpan<byte> key, double number) => Add(LogFieldKind.Fraction, key, BitConverter.DoubleToInt64Bits(number));

    public void Add(scoped ReadOnlySpan<byte> key, bool value) => Add(LogFieldKind.Truth, key, value ? 1 : 0);

    /// <summary>For loggers other than ours: <c>key=value</c> pairs.</summary>
    public override readonly string ToString()
    {
        var text = new StringBuilder();
        LogFieldReader reader = new(Encoded);
        while (reader.TryRead(out LogField field))
        {
            text.Append(text.Length == 0 ? string.Empty : " ").Append(Encoding.UTF8.GetString(field.Key)).Append('=').Append(field.ToString());
        }

        return text.ToString();
    }

    private void Add(LogFieldKind kind, scoped ReadOnlySpan<byte> key, long number)
    {
        if (_buffer.Length - _length >= key.Length + 2 + sizeof(long))
        {
            BinaryPrimitives.WriteInt64LittleEndian(Start(kind, key), number);
            _length += sizeof(long);
        }
    }

    private Span<byte> Start(LogFieldKind kind, scoped ReadOnlySpan<byte> key)
    {
        _buffer[_length++] = (byte)kind;
        _buffer[_length++] = (byte)key.Length;
        key.CopyTo(_buffer[_length..]);
        _length += key.Length;
        return _buffer[_length..];
    }
}
