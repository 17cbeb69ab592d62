using System.Buffers;
using System.Globalization;
using System.Text;

namespace Couic.Logging;

/// <summary>Lines as UTF-8, or what becomes part of one. Grows to the longest content and keeps that size. Not thread-safe.</summary>
internal sealed class LineBuffer(int capacity) : IBufferWriter<byte>
{
    /// <summary>A rented buffer that has grown beyond this size is dropped.</summary>
    private const int MaxPooledBytes = 64 * 1024;

    [ThreadStatic]
    private static LineBuffer? _free;

    private byte[] _bytes = new byte[capacity];
    private LineBuffer? _next;

    // Many lines share a second, so its text is cached: "2026-01-02T03:04:05."
    private readonly byte[] _second = new byte[20];
    private long _secondTicks = -1;

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    /// <summary>An empty buffer of this thread. A line that is logged while another is formatted gets a second one.</summary>
    public static LineBuffer Rent()
    {
        LineBuffer buffer = _free ?? new LineBuffer(1024);
        (_free, buffer._next) = (buffer._next, null);
        return buffer;
    }

    public void Return()
    {
        Length = 0;
        if (_bytes.Length <= MaxPooledBytes)
        {
            (_next, _free) = (_free, this);
        }
    }

    /// <summary>Drops everything after the first bytes.</summary>
    public void Truncate(int length) => Length = length;

    /// <summary>Drops what exceeds a limit, and never half a character.</summary>
    public void Limit(int maxBytes)
    {
        if (Length > maxBytes)
        {
            while (maxBytes > 0 && (_bytes[maxBytes] & 0xc0) == 0x80)
            {
                maxBytes--;
            }

            Length = maxBytes;
        }
    }

    public void Append(byte value)
    {
        GetSpan(1)[0] = value;
        Length++;
    }

    public void Append(ReadOnlySpan<byte> text)
    {
        text.CopyTo(GetSpan(text.Length));
        Length += text.Length;
    }

    /// <summary>As much of the text as fits in so many bytes.</summary>
    public void Append(ReadOnlySpan<char> text, int maxBytes)
    {
        Span<byte> space = GetSpan((int)Math.Min(maxBytes, 3L * text.Length));
        System.Text.Unicode.Utf8.FromUtf16(text, space[..Math.Min(maxBytes, space.Length)], out _, out int written);
        Length += written;
    }

    public void Append(Rune rune) => Length += rune.EncodeToUtf8(GetSpan(4));

    /// <summary>A number.</summary>
    public void Append<T>(T value, ReadOnlySpan<char> format = default)
        where T : IUtf8SpanFormattable
    {
        value.TryFormat(GetSpan(64), out int written, format, CultureInfo.InvariantCulture);
        Length += written;
    }

    /// <summary>UTC with microseconds: <c>2026-01-02T03:04:05.678901Z</c>.</summary>
    public void AppendTime(long ticks)
    {
        long fraction = ticks % TimeSpan.TicksPerSecond;
        if (ticks - fraction != _secondTicks)
        {
            _secondTicks = ticks - fraction;
            new DateTime(_secondTicks, DateTimeKind.Utc).TryFormat(_second, out _, "yyyy-MM-ddTHH:mm:ss.", CultureInfo.InvariantCulture);
        }

        Append(_second);
        Span<byte> digits = GetSpan(7);
        long micros = fraction / TimeSpan.TicksPerMicrosecond;
        for (int i = 5; i >= 0; i--)
        {
            digits[i] = (byte)('0' + (micros % 10));
            micros /= 10;
        }

        digits[6] = (byte)'Z';
        Length += 7;
    }

    public void Advance(int count) => Length += count;

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _bytes.AsSpan(Length);
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _bytes.AsMemory(Length);
    }

    private void Reserve(int count)
    {
        count = Math.Max(count, 1); // some writers fail on an empty span
        if (_bytes.Length - Length < count)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + count));
        }
    }
}
