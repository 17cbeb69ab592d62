using System.Text;

namespace Couic.Http;

/// <summary>UTF-8 bytes as an argument of a log line: they become a string, or bytes of the line, only when it is written.</summary>
internal readonly record struct Utf8Text(ReadOnlyMemory<byte> Bytes) : ISpanFormattable, IUtf8SpanFormattable
{
    public override string ToString() => Encoding.UTF8.GetString(Bytes.Span);

    public string ToString(string? format, IFormatProvider? formatProvider) => ToString();

    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        Encoding.UTF8.TryGetChars(Bytes.Span, destination, out charsWritten);

    public bool TryFormat(Span<byte> utf8Destination, out int bytesWritten, ReadOnlySpan<char> format, IFormatProvider? provider)
    {
        bool fits = Bytes.Span.TryCopyTo(utf8Destination);
        bytesWritten = fits ? Bytes.Length : 0;
        return fits;
    }
}
