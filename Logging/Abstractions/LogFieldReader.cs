using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Couic.Logging.Abstractions;

/// <summary>One field as it was added.</summary>
public readonly ref struct LogField
{
    internal LogField(LogFieldKind kind, ReadOnlySpan<byte> key, ReadOnlySpan<byte> text, long bits)
    {
        Kind = kind;
        Key = key;
        Text = text;
        Bits = bits;
    }

    public LogFieldKind Kind { get; }

    public ReadOnlySpan<byte> Key { get; }

    /// <summary>For <see cref="LogFieldKind.Text"/>: what was given, not checked; for <see cref="LogFieldKind.Word"/> what needs no check.</summary>
    public ReadOnlySpan<byte> Text { get; }

    /// <summary>For the other kinds.</summary>
    public long Bits { get; }

    public double Fraction => BitConverter.Int64BitsToDouble(Bits);

    public override string ToString() => Kind switch
    {
        LogFieldKind.Text or LogFieldKind.Word => Encoding.UTF8.GetString(Text),
        LogFieldKind.Number => Bits.ToString(CultureInfo.InvariantCulture),
        LogFieldKind.Natural => ((ulong)Bits).ToString(CultureInfo.InvariantCulture),
        LogFieldKind.Truth => Bits != 0 ? "true" : "false",
        _ => Fraction.ToString(CultureInfo.InvariantCulture),
    };
}

/// <summary>Walks over <see cref="LogFields.Encoded"/>.</summary>
public ref struct LogFieldReader(ReadOnlySpan<byte> encoded)
{
    private ReadOnlySpan<byte> _rest = encoded;

    public bool TryRead(out LogField field)
    {
        if (_rest.IsEmpty)
        {
            field = default;
            return false;
        }

        var kind = (LogFieldKind)_rest[0];
        ReadOnlySpan<byte> key = _rest.Slice(2, _rest[1]);
        _rest = _rest[(2 + key.Length)..];
        if (kind is LogFieldKind.Text or LogFieldKind.Word)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(_rest);
            field = new LogField(kind, key, _rest.Slice(2, length), 0);
            _rest = _rest[(2 + length)..];
        }
        else
        {
            field = new LogField(kind, key, default, BinaryPrimitives.ReadInt64LittleEndian(_rest));
            _rest = _rest[sizeof(long)..];
        }

        return true;
    }
}
