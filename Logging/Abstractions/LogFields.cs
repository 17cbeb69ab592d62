using System.Globalization;
using System.Text;

namespace Couic.Logging.Abstractions;

/// <summary>
/// Fields of a line that requests write, as UTF-8 and without allocating: the last parameter of a [ZLoggerMessage] method, of which its
/// message shows nothing. Each thread has one buffer for them: log them before the next ones are started.
/// <code>
/// var fields = new LogFields();
/// fields.AddWord("client"u8, client.Utf8Name);
/// fields.Add("expiration"u8, entry.Expiration);
/// </code>
/// Keys: lower case, <c>[a-z0-9_]</c>. A field that does not fit in <see cref="MaxBytes"/> is left out.
/// </summary>
public struct LogFields : IUtf8SpanFormattable
{
    /// <summary>Enough for an audit line: six fields with names and tags of maximal length.</summary>
    public const int MaxBytes = 512;

    [ThreadStatic]
    private static byte[]? _buffer;

    private readonly byte[] _text = _buffer ??= new byte[MaxBytes];
    private int _length;
    private int _count;
    private uint _numbers; // one bit per field

    public LogFields()
    {
    }

    /// <summary>All fields: <c> key=value key=value</c>, with <c>""</c> for an empty word.</summary>
    public readonly ReadOnlySpan<byte> Text => _text.AsSpan(0, _length);

    /// <summary>Whether the field of that index is a number.</summary>
    public readonly bool IsNumber(int index) => (_numbers >> index & 1) != 0;

    /// <summary>A text that consists of letters, digits and <c>.:/_-</c>, such as a checked name or an address: it is not escaped.</summary>
    public void AddWord(scoped ReadOnlySpan<byte> key, scoped ReadOnlySpan<byte> word)
    {
        word = word.IsEmpty ? "\"\""u8 : word;
        Span<byte> space = Space(key, word.Length);
        if (!space.IsEmpty)
        {
            word.CopyTo(space);
            Finish(key, word.Length);
        }
    }

    public void Add(scoped ReadOnlySpan<byte> key, ulong number)
    {
        const int LongestNumber = 20;
        Span<byte> space = Space(key, LongestNumber);
        if (!space.IsEmpty && number.TryFormat(space, out int written, default, CultureInfo.InvariantCulture))
        {
            _numbers |= 1u << _count;
            Finish(key, written);
        }
    }

    /// <summary>Writes nothing: a message does not repeat the fields.</summary>
    public readonly bool TryFormat(Span<byte> utf8Destination, out int bytesWritten, ReadOnlySpan<char> format, IFormatProvider? provider)
    {
        bytesWritten = 0;
        return true;
    }

    public override readonly string ToString() => Encoding.UTF8.GetString(Text);

    /// <summary>Space for a value; empty when the field does not fit.</summary>
    private readonly Span<byte> Space(scoped ReadOnlySpan<byte> key, int length)
    {
        int start = _length + key.Length + 2;
        return start + length > MaxBytes || _count == 32 ? default : _text.AsSpan(start);
    }

    private void Finish(scoped ReadOnlySpan<byte> key, int length)
    {
        Span<byte> start = _text.AsSpan(_length);
        start[0] = (byte)' ';
        key.CopyTo(start[1..]);
        start[key.Length + 1] = (byte)'=';
        _length += key.Length + length + 2;
        _count++;
    }
}
