using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Couic.Logging.Abstractions;

/// <summary>What stands in one field.</summary>
public enum LogFieldKind : byte
{
    /// <summary>Any bytes, also from outside: how they look (quotes, escapes) is the format's.</summary>
    Text = 1,

    /// <summary>Text that stands in any format as it is.</summary>
    Word = 2,

    /// <summary>A number or a truth: the same in any format.</summary>
    Value = 3,

    /// <summary>Not a number, or one without end: JSON has none.</summary>
    NoNumber = 4,
}

/// <summary>
/// The <c>key=value</c> pairs of one log line, put together on the caller's stack without allocating.
/// <code>
/// var fields = new LogFields(stackalloc byte[LogFields.UsualBytes]);
/// fields.Add("client"u8, client.Utf8Name);
/// fields.Add("expiration"u8, entry.Expiration);
/// logger.Write(LogLevel.Information, Events.EntryCreated, in fields);
/// </code>
/// Keys: lower case, <c>[a-z0-9_]</c>, at most 32 bytes. What does not fit in the buffer is cut off (text) or left out.
/// </summary>
public ref struct LogFields
{
    /// <summary>Enough for an audit line: six fields with names and tags at their longest.</summary>
    public const int UsualBytes = 512;

    /// <summary>Kind, length of the key, two bytes of length of the value: from the end of the buffer downwards, the first field's last.</summary>
    internal const int MarkBytes = 4;

    private const int LongestNumber = 32;

    private readonly Span<byte> _buffer;
    private int _length;
    private int _marks;

    public LogFields(Span<byte> buffer) => _buffer = buffer;

    /// <summary>All fields as a line for people has them, <c> key=value key=value</c>, if <see cref="IsPlain"/>.</summary>
    public readonly ReadOnlySpan<byte> Text => _buffer[.._length];

    /// <summary>Whether nothing in it has to be looked at again.</summary>
    public bool IsPlain { get; private set; } = true;

    public readonly LogFieldReader Read() => new(Text, _buffer[(_buffer.Length - _marks)..]);

    /// <summary>UTF-8; other bytes are shown as U+FFFD.</summary>
    public void Add(scoped ReadOnlySpan<byte> key, scoped ReadOnlySpan<byte> text)
    {
        IsPlain = false;
        AddBytes(LogFieldKind.Text, key, text);
    }

    /// <summary>
    /// Text that is known to have letters, digits and <c>.:/_-</c> only, such as checked names and addresses: nobody looks for what would
    /// have to be escaped.
    /// </summary>
    public void AddWord(scoped ReadOnlySpan<byte> key, scoped ReadOnlySpan<byte> text)
    {
        IsPlain &= !text.IsEmpty;
        AddBytes(LogFieldKind.Word, key, text);
    }

    public void Add(scoped ReadOnlySpan<byte> key, scoped ReadOnlySpan<char> text)
    {
        IsPlain = false;
        Span<byte> room = RoomFor(key);
        System.Text.Unicode.Utf8.FromUtf16(text, room, out _, out int written); // stops where the room ends
        End(LogFieldKind.Text, key, written, room);
    }

    public void Add(scoped ReadOnlySpan<byte> key, string? text) => Add(key, text.AsSpan());

    public void Add(scoped ReadOnlySpan<byte> key, long number) => AddNumber(key, number);

    public void Add(scoped ReadOnlySpan<byte> key, int number) => AddNumber(key, number);

    public void Add(scoped ReadOnlySpan<byte> key, ulong number) => AddNumber(key, number);

    public void Add(scoped ReadOnlySpan<byte> key, double number) =>
        AddNumber(key, number, double.IsFinite(number) ? LogFieldKind.Value : LogFieldKind.NoNumber);

    public void Add(scoped ReadOnlySpan<byte> key, bool value) => AddBytes(LogFieldKind.Value, key, value ? "true"u8 : "false"u8);

    /// <summary>For loggers other than ours: <c>key=value</c> pairs.</summary>
    public override readonly string ToString() => _length == 0 ? string.Empty : Encoding.UTF8.GetString(Text[1..]);

    private void AddBytes(LogFieldKind kind, scoped ReadOnlySpan<byte> key, scoped ReadOnlySpan<byte> text)
    {
        Span<byte> room = RoomFor(key);
        text = text[..Math.Min(text.Length, room.Length)];
        text.CopyTo(room);
        End(kind, key, text.Length, room);
    }

    private void AddNumber<T>(scoped ReadOnlySpan<byte> key, T number, LogFieldKind kind = LogFieldKind.Value)
        where T : IUtf8SpanFormattable
    {
        Span<byte> room = RoomFor(key);
        if (room.Length >= LongestNumber && number.TryFormat(room, out int written, default, CultureInfo.InvariantCulture))
        {
            End(kind, key, written, room);
        }
    }

    /// <summary>Room for a value behind its key; none where not a byte of one would fit.</summary>
    private readonly Span<byte> RoomFor(scoped ReadOnlySpan<byte> key)
    {
        int start = _length + key.Length + 2;
        int room = Math.Min(_buffer.Length - _marks - MarkBytes - start, ushort.MaxValue);
        return room <= 0 ? default : _buffer.Slice(start, room);
    }

    private void End(LogFieldKind kind, scoped ReadOnlySpan<byte> key, int length, ReadOnlySpan<byte> room)
    {
        if (room.IsEmpty)
        {
            return;
        }

        Span<byte> start = _buffer[_length..];
        start[0] = (byte)' ';
        key.CopyTo(start[1..]);
        start[key.Length + 1] = (byte)'=';
        _length += key.Length + length + 2;
        _marks += MarkBytes;
        Span<byte> mark = _buffer[(_buffer.Length - _marks)..];
        mark[0] = (byte)kind;
        mark[1] = (byte)key.Length;
        BinaryPrimitives.WriteUInt16LittleEndian(mark[2..], (ushort)length);
    }
}
