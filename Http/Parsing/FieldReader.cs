using System.Buffers.Text;

namespace Couic.Http.Parsing;

/// <summary>The header fields that the server itself interprets.</summary>
internal static class FieldReader
{
    private const int LongestName = 17;

    /// <summary>
    /// The length of the name, followed by a colon, that some bytes start with, if it is one of these; otherwise 0, also when there are too few
    /// bytes to decide.
    /// </summary>
    public static int KnownLength(ReadOnlySpan<byte> text)
    {
        if (text.Length < LongestName + 3)
        {
            return 0;
        }

        ReadOnlySpan<byte> name = (text[0] | 0x20) switch
        {
            'a' => "authorization"u8,
            'c' when text[10] == ':' => "connection"u8,
            'c' when text[12] == ':' => "content-type"u8,
            'c' => "content-length"u8,
            'e' => "expect"u8,
            'h' => "host"u8,
            't' => "transfer-encoding"u8,
            _ => default,
        };
        return !name.IsEmpty && text[name.Length] == ':' && Grammar.IsNamed(text[..name.Length], name) ? name.Length : 0;
    }

    /// <param name="offset">Where the value starts in the request.</param>
    public static ParseFault Read(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, int offset, RequestHead head)
    {
        switch (name.Length)
        {
            case 4 when Grammar.IsNamed(name, "host"u8):
                return ReadHost(value, head);
            case 6 when Grammar.IsNamed(name, "expect"u8):
                head.ExpectsContinue |= Grammar.Same(value, "100-continue"u8);
                break;
            case 10 when Grammar.IsNamed(name, "connection"u8):
                ReadConnection(value, head);
                break;
            case 12 when Grammar.IsNamed(name, "content-type"u8):
                head.ContentType = new Slice(offset, value.Length);
                head.ContentTypeCount++;
                break;
            case 13 when Grammar.IsNamed(name, "authorization"u8):
                head.Authorization = new Slice(offset, value.Length);
                head.AuthorizationCount++;
                break;
            case 14 when Grammar.IsNamed(name, "content-length"u8):
                return ReadContentLength(value, head);
            case 17 when Grammar.IsNamed(name, "transfer-encoding"u8):
                ReadTransferEncoding(value, head);
                break;
        }

        return ParseFault.None;
    }

    private static ParseFault ReadHost(ReadOnlySpan<byte> value, RequestHead head)
    {
        if (head.HasHost)
        {
            return ParseFault.HostRepeated;
        }

        head.HasHost = true;
        return Grammar.IsHost(value) ? ParseFault.None : ParseFault.HostInvalid;
    }

    private static ParseFault ReadContentLength(ReadOnlySpan<byte> value, RequestHead head)
    {
        if (head.ContentLength >= 0)
        {
            return ParseFault.ContentLengthRepeated; // also two that agree: a proxy before us may have read the other
        }

        bool digits = !value.IsEmpty && !value.ContainsAnyExceptInRange((byte)'0', (byte)'9');
        if (!digits || !Utf8Parser.TryParse(value, out long length, out int used) || used != value.Length)
        {
            return ParseFault.ContentLength;
        }

        head.ContentLength = length;
        return ParseFault.None;
    }

    private static void ReadConnection(ReadOnlySpan<byte> value, RequestHead head)
    {
        foreach (Range range in value.Split((byte)','))
        {
            ReadOnlySpan<byte> option = Grammar.TrimBlanks(value[range]);
            head.SawClose |= Grammar.Same(option, "close"u8);
            head.SawKeepAlive |= Grammar.Same(option, "keep-alive"u8);
        }
    }

    private static void ReadTransferEncoding(ReadOnlySpan<byte> value, RequestHead head)
    {
        head.SawTransferEncoding = true;
        foreach (Range range in value.Split((byte)','))
        {
            ReadOnlySpan<byte> coding = Grammar.TrimBlanks(value[range]);
            if (coding.IsEmpty)
            {
                continue; // RFC 9110 §5.6.1: empty list elements are ignored
            }

            head.ChunkedIsLast = Grammar.Same(coding, "chunked"u8);
            head.Chunkeds += head.ChunkedIsLast ? 1 : 0;
            head.SawUnknownCoding |= !head.ChunkedIsLast;
        }
    }
}
