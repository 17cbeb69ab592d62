using System.Globalization;
using System.Text;

namespace Couic.Logging;

/// <summary>Text that is being put together; grows to the longest batch and stays.</summary>
internal sealed class LineBuffer
{
    private byte[] _bytes = new byte[16 * 1024];

    // Lines come many to the second: its text is made once. "2026-01-02T03:04:05."
    private readonly byte[] _second = new byte[20];
    private long _secondTicks = -1;

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public void Clear() => Length = 0;

    /// <summary>Forgets what stands behind a place.</summary>
    public void Truncate(int length) => Length = length;

    public void Append(byte value)
    {
        Room(1)[0] = value;
        Length++;
    }

    public void Append(ReadOnlySpan<byte> text)
    {
        text.CopyTo(Room(text.Length));
        Length += text.Length;
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
        Span<byte> digits = Room(7);
        long micros = fraction / TimeSpan.TicksPerMicrosecond;
        for (int i = 5; i >= 0; i--)
        {
            digits[i] = (byte)('0' + (micros % 10));
            micros /= 10;
        }

        digits[6] = (byte)'Z';
        Length += 7;
    }

    public void Append<T>(T value, ReadOnlySpan<char> format = default)
        where T : IUtf8SpanFormattable
    {
        // Numbers and times only: none is longer.
        value.TryFormat(Room(64), out int written, format, CultureInfo.InvariantCulture);
        Length += written;
    }

    public void Append(Rune rune) => Length += rune.EncodeToUtf8(Room(4));

    private Span<byte> Room(int count)
    {
        if (_bytes.Length - Length < count)
        {
            Array.Resize(ref _bytes, Math.Max(_bytes.Length * 2, Length + count));
        }

        return _bytes.AsSpan(Length);
    }
}
