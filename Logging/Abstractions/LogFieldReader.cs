using System.Buffers.Binary;
using System.Text;

namespace Couic.Logging.Abstractions;

/// <summary>One field as it was added.</summary>
public readonly ref struct LogField
{
    internal LogField(LogFieldKind kind, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        Kind = kind;
        Key = key;
        Value = value;
    }

    public LogFieldKind Kind { get; }

    public ReadOnlySpan<byte> Key { get; }

    /// <summary>For <see cref="LogFieldKind.Text"/>: what was given, not checked; for the others what stands in any format as it is.</summary>
    public ReadOnlySpan<byte> Value { get; }
}

/// <summary>Walks over <see cref="LogFields"/>.</summary>
public ref struct LogFieldReader
{
    private ReadOnlySpan<byte> _text;
    private ReadOnlySpan<byte> _marks;

    internal LogFieldReader(ReadOnlySpan<byte> text, ReadOnlySpan<byte> marks)
    {
        _text = text;
        _marks = marks;
    }

    public bool TryRead(out LogField field)
    {
        if (_marks.IsEmpty)
        {
            field = default;
            return false;
        }

        ReadOnlySpan<byte> mark = _marks[^LogFields.MarkBytes..];
        _marks = _marks[..^LogFields.MarkBytes];
        int key = mark[1], value = BinaryPrimitives.ReadUInt16LittleEndian(mark[2..]);
        field = new LogField((LogFieldKind)mark[0], _text.Slice(1, key), _text.Slice(key + 2, value));
        _text = _text[(key + value + 2)..];
        return true;
    }
}
