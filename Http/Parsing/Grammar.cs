using System.Buffers;
using System.Buffers.Binary;

namespace Couic.Http.Parsing;

/// <summary>Characters and small productions of RFC 9110 §5.6 and RFC 9112.</summary>
internal static class Grammar
{
    private static readonly SearchValues<byte> TokenBytes =
        SearchValues.Create("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private static readonly SearchValues<byte> TargetBytes = SearchValues.Create(Visible(except: "#"u8));

    private static readonly SearchValues<byte> ValueBytes = SearchValues.Create(
        [(byte)'\t', (byte)' ', .. Visible(except: []), .. Enumerable.Range(0x80, 0x80).Select(b => (byte)b)]);

    private static readonly SearchValues<byte> HostBytes =
        SearchValues.Create("-._~%!$&'()*+,;=0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    private static readonly SearchValues<byte> AddressBytes = SearchValues.Create("0123456789ABCDEFabcdef:."u8);

    public static bool IsToken(ReadOnlySpan<byte> text) => !text.IsEmpty && !text.ContainsAnyExcept(TokenBytes);

    /// <summary>How many token characters the text starts with.</summary>
    public static int TokenLength(ReadOnlySpan<byte> text)
    {
        int end = text.IndexOfAnyExcept(TokenBytes);
        return end < 0 ? text.Length : end;
    }

    /// <summary>Visible ASCII but "#": what RFC 3986 does not allow is accepted where it cannot mislead.</summary>
    public static bool IsTarget(ReadOnlySpan<byte> text) => !text.ContainsAnyExcept(TargetBytes);

    /// <summary>How many characters of a field's value the text starts with.</summary>
    public static int FieldValueLength(ReadOnlySpan<byte> text)
    {
        int end = text.IndexOfAnyExcept(ValueBytes);
        return end < 0 ? text.Length : end;
    }

    /// <summary>No control character but the tab.</summary>
    public static bool IsFieldValue(ReadOnlySpan<byte> text) => !text.ContainsAnyExcept(ValueBytes);

    /// <summary><c>uri-host [ ":" port ]</c> of RFC 9110 §7.2; may be empty.</summary>
    public static bool IsHost(ReadOnlySpan<byte> text)
    {
        int end;
        if (text.StartsWith("["u8))
        {
            end = text.IndexOf((byte)']') + 1;
            if (end < 4 || text[1..(end - 1)].ContainsAnyExcept(AddressBytes))
            {
                return false;
            }
        }
        else
        {
            end = text.IndexOf((byte)':');
            end = end < 0 ? text.Length : end;
            if (text[..end].ContainsAnyExcept(HostBytes))
            {
                return false;
            }
        }

        ReadOnlySpan<byte> port = text[end..];
        return port.IsEmpty || (port[0] == ':' && port.Length <= 6 && !port[1..].ContainsAnyExceptInRange((byte)'0', (byte)'9'));
    }

    public static bool IsBlank(byte c) => c is (byte)' ' or (byte)'\t';

    public static ReadOnlySpan<byte> TrimBlanks(ReadOnlySpan<byte> text) => text.Trim(" \t"u8);

    /// <summary>Whether two ASCII texts are equal but for case.</summary>
    public static bool Same(ReadOnlySpan<byte> text, ReadOnlySpan<byte> word) =>
        text.Length == word.Length && System.Text.Ascii.EqualsIgnoreCase(text, word);

    /// <summary>
    /// <see cref="Same"/> for a token and a word of the same length, four bytes at least, of small letters and hyphens: setting a bit of each byte
    /// makes letters lowercase, and no other token character a letter or hyphen.
    /// </summary>
    public static bool IsNamed(ReadOnlySpan<byte> token, ReadOnlySpan<byte> word)
    {
        if (word.Length < sizeof(ulong))
        {
            const uint Small = 0x2020_2020;
            return ((Read4(token) | Small) == Read4(word)) & ((Read4(token[^4..]) | Small) == Read4(word[^4..]));
        }

        for (int at = 0; ; at = Math.Min(at + sizeof(ulong), word.Length - sizeof(ulong)))
        {
            if ((Read8(token[at..]) | 0x2020_2020_2020_2020) != Read8(word[at..]))
            {
                return false;
            }

            if (at == word.Length - sizeof(ulong))
            {
                return true;
            }
        }
    }

    private static uint Read4(ReadOnlySpan<byte> text) => BinaryPrimitives.ReadUInt32LittleEndian(text);

    private static ulong Read8(ReadOnlySpan<byte> text) => BinaryPrimitives.ReadUInt64LittleEndian(text);

    /// <summary>A quoted string at the start of the text (RFC 9110 §5.6.4): its length with quotes, or 0.</summary>
    public static int QuotedLength(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty || text[0] != '"')
        {
            return 0;
        }

        for (int i = 1; i < text.Length; i++)
        {
            switch (text[i])
            {
                case (byte)'"':
                    return i + 1;
                case (byte)'\\':
                    i++;
                    break;
            }
        }

        return 0;
    }

    private static byte[] Visible(ReadOnlySpan<byte> except)
    {
        var bytes = new List<byte>();
        for (byte b = 0x21; b < 0x7f; b++)
        {
            if (!except.Contains(b))
            {
                bytes.Add(b);
            }
        }

        return [.. bytes];
    }
}
