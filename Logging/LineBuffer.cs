using System.Globalization;
using System.Text;

namespace Couic.Logging;

/// <summary>Text that is being put together; grows to the longest batch and stays.</summary>
internal sealed class LineBuffer
{
    private byte[] _bytes = new byte[16 * 1024];

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public void Clear() => Length = 0;

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
