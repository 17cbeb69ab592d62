using System.Text;
using Couic.Http;
using Couic.Http.Parsing;
using CsCheck;
using Xunit;

namespace Couic.Tests.Http.Parsing;

// RFC 9112 §7.1
public sealed class ChunkReaderTests
{
    [Theory]
    [InlineData("0\r\n\r\n", "")]
    [InlineData("5\r\nhello\r\n0\r\n\r\n", "hello")]
    [InlineData("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc")]
    [InlineData("A\r\n0123456789\r\n000\r\n\r\n", "0123456789")]
    [InlineData("5;a\r\nhello\r\n0;b=c\r\n\r\n", "hello")]
    [InlineData("5 ; a = \"x;\\\"y\" ;b\r\nhello\r\n0\r\n\r\n", "hello")]
    [InlineData("3\r\na\r\n\r\n0\r\n\r\n", "a\r\n")]
    [InlineData("1\r\na\r\n0\r\nTrailer: x\r\nOther:\r\n\r\n", "a")]
    public void GoodBodiesAreReadWholeAndByteByByte(string text, string expected)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text + "NEXT");
        Assert.Equal((expected, ParseFault.None, text.Length), Read(bytes, bytes.Length));
        Assert.Equal((expected, ParseFault.None, text.Length), Read(bytes, 1));
        for (int length = 0; length < text.Length; length++)
        {
            (_, ParseFault fault, int used) = Read(bytes[..length], 3);
            Assert.Equal((ParseFault.None, -1), (fault, used));
        }
    }

    [Theory]
    [InlineData("\r\n", ParseFault.ChunkSize)]
    [InlineData("g\r\n", ParseFault.ChunkSize)]
    [InlineData("-1\r\n", ParseFault.ChunkSize)]
    [InlineData("+1\r\n", ParseFault.ChunkSize)]
    [InlineData("0x5\r\n", ParseFault.ChunkSize)]
    [InlineData(" 5\r\n", ParseFault.ChunkSize)]
    [InlineData("5 \r\nhello", ParseFault.ChunkSize)]
    [InlineData("5;\r\nhello", ParseFault.ChunkSize)]
    [InlineData("5;a=\r\nhello", ParseFault.ChunkSize)]
    [InlineData("5;a=\"b\r\nhello", ParseFault.ChunkSize)]
    [InlineData("5 a\r\nhello", ParseFault.ChunkSize)]
    [InlineData("5;a\0\r\nhello", ParseFault.ChunkSize)]
    [InlineData("fffffffffffffffff\r\n", ParseFault.ChunkSize)]
    [InlineData("10000000000000000\r\n", ParseFault.ChunkSize)]
    [InlineData("5\nhello", ParseFault.BareLineFeed)]
    [InlineData("5\r\nhelloX\r\n", ParseFault.ChunkEnd)]
    [InlineData("5\r\nhello\n0\r\n\r\n", ParseFault.ChunkEnd)]
    [InlineData("5\r\nhello\rX", ParseFault.ChunkEnd)]
    [InlineData("0\r\nA : b\r\n\r\n", ParseFault.FieldName)]
    [InlineData("0\r\nA: b\r\n c\r\n\r\n", ParseFault.FieldFolded)]
    [InlineData("0\r\nA: b\0\r\n\r\n", ParseFault.FieldValue)]
    [InlineData("0\r\nA: b\n\r\n", ParseFault.BareLineFeed)]
    public void MalformedFramingHasItsReason(string text, ParseFault expected)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        Assert.Equal(expected, Read(bytes, bytes.Length).Fault);
        Assert.Equal(expected, Read(bytes, 1).Fault);
    }

    [Fact]
    public void LongFramingIsCutOff()
    {
        byte[] extension = Encoding.ASCII.GetBytes("5;" + new string('a', HttpLimits.Default.MaxChunkLineBytes));
        Assert.Equal(ParseFault.ChunkLineTooLong, Read(extension, 100).Fault);
        string fields = string.Concat(Enumerable.Repeat("A: b\r\n", HttpLimits.Default.MaxHeaderFields + 1));
        Assert.Equal(ParseFault.TooManyFields, Read(Encoding.ASCII.GetBytes("0\r\n" + fields), 7).Fault);
        byte[] trailer = Encoding.ASCII.GetBytes("0\r\nA: " + new string('a', HttpLimits.Default.MaxHeaderBytes));
        Assert.Equal(ParseFault.FieldsTooLong, Read(trailer, 1000).Fault);
    }

    /// <summary>All fields together, with the ends of their lines, have the limit of a head.</summary>
    [Theory]
    [InlineData(0, ParseFault.None)]
    [InlineData(1, ParseFault.FieldsTooLong)]
    public void Trailers_HaveOneLimitInCommon(int excess, ParseFault expected)
    {
        int second = HttpLimits.Default.MaxHeaderBytes - "A: b\r\n".Length - "B: ".Length - "\r\n\r".Length + excess;
        byte[] bytes = Encoding.ASCII.GetBytes($"0\r\nA: b\r\nB: {new string('c', second)}\r\n\r\n");
        Assert.Equal(expected, Read(bytes, bytes.Length).Fault);
        Assert.Equal(expected, Read(bytes, 100).Fault);
    }

    [Fact]
    public void RandomBodiesInRandomPiecesComeOutWhole() =>
        Gen.Select(Gen.Select(Gen.Byte.Array[1, 2000], Gen.Bool).Array[0, 4], Gen.Int[1, 700]).Sample(
            (chunks, piece) =>
            {
                var framed = new MemoryStream();
                foreach ((byte[] data, bool hasExtension) in chunks)
                {
                    framed.Write(Encoding.ASCII.GetBytes($"{data.Length:x}{(hasExtension ? ";x=y" : string.Empty)}\r\n"));
                    framed.Write(data);
                    framed.Write("\r\n"u8);
                }

                framed.Write("0\r\n\r\n"u8);
                Assert.Equal(string.Concat(chunks.Select(c => Encoding.Latin1.GetString(c.Item1))), Read(framed.ToArray(), piece).Body);
            },
            iter: 500);

    /// <summary>Feeds pieces, as a connection does. Used is -1 when the body is incomplete.</summary>
    private static (string Body, ParseFault Fault, int Used) Read(byte[] bytes, int piece)
    {
        var reader = default(ChunkReader);
        var body = new StringBuilder();
        int start = 0, end = 0;
        while (true)
        {
            ChunkStep step = reader.Next(bytes.AsSpan(start, end - start), HttpLimits.Default, out int framing, out int data, out ParseFault fault);
            body.Append(Encoding.Latin1.GetString(bytes, start + framing, data));
            start += framing + data;
            switch (step)
            {
                case ChunkStep.Malformed:
                    return (body.ToString(), fault, -1);
                case ChunkStep.End:
                    return (body.ToString(), fault, start);
                case ChunkStep.More when end == bytes.Length:
                    return (body.ToString(), fault, -1);
                case ChunkStep.More:
                    end = Math.Min(bytes.Length, end + piece);
                    break;
            }
        }
    }
}
