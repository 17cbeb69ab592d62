using System.Text;
using Couic.Http;
using Couic.Http.Parsing;
using CsCheck;
using Xunit;

namespace Couic.Tests.Http.Parsing;

public sealed class RequestParserTests
{
    private const string Good =
        "POST /v1/drop?force=true HTTP/1.1\r\nHost: couic.example:2900\r\nAuthorization: Bearer x \r\nContent-Type:application/json\r\n"
        + "content-length: 12\r\nExpect: 100-Continue\r\nX-Odd: \ta b\tc\t \r\n\r\n";

    [Fact]
    public void AWholeHeadIsTakenApart()
    {
        byte[] bytes = Encoding.ASCII.GetBytes(Good + "body");
        RequestHead head = NewHead();
        Assert.True(RequestParser.TryParse(bytes, HttpLimits.Default, head, out ParseFault fault));
        Assert.Equal(ParseFault.None, fault);
        Assert.Equal(Verb.Post, head.Verb);
        Assert.Equal("/v1/drop", Text(head.Path, bytes));
        Assert.Equal("force=true", Text(head.Query, bytes));
        Assert.Equal("Bearer x", Text(head.Authorization, bytes));
        Assert.Equal("application/json", Text(head.ContentType, bytes));
        Assert.Equal(12, head.ContentLength);
        Assert.True(head.ExpectsContinue && head.KeepAlive && !head.IsChunked);
        Assert.Equal(Good.Length, head.Length);
    }

    // RFC 9110, 10.1.1: a client of HTTP/1.0 cannot wait, and without a body there is nothing to wait for.
    [Theory]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", true)]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n", true)]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", false)]
    [InlineData("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n", false)]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", false)]
    [InlineData("POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", false)]
    public void AnAnswerBeforeTheBody_IsExpectedOnlyByClientsThatWaitForIt(string text, bool expected)
    {
        RequestHead head = NewHead();
        Assert.True(RequestParser.TryParse(Encoding.ASCII.GetBytes(text), HttpLimits.Default, head, out _));
        Assert.Equal(expected, head.ExpectsContinue);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData(" \t \t")]
    public void AFieldOfBlanks_IsEmpty(string blanks)
    {
        byte[] bytes = Encoding.ASCII.GetBytes($"GET / HTTP/1.1\r\nHost: a\r\nContent-Type:{blanks}\r\nX-Odd:{blanks}\r\n\r\n");
        RequestHead head = NewHead();
        Assert.True(RequestParser.TryParse(bytes, HttpLimits.Default, head, out ParseFault fault));
        Assert.Equal((ParseFault.None, ""), (fault, Text(head.ContentType, bytes)));
    }

    [Fact]
    public void EveryTruncationIsIncompleteAndNoFault()
    {
        byte[] bytes = Encoding.ASCII.GetBytes(Good);
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.False(RequestParser.TryParse(bytes.AsSpan(0, length), HttpLimits.Default, NewHead(), out ParseFault fault));
            Assert.Equal(ParseFault.None, fault);
        }
    }

    [Fact]
    public void OneByteAtATimeGivesTheSameHead()
    {
        byte[] bytes = Encoding.ASCII.GetBytes(Good);
        RequestHead whole = NewHead(), slow = NewHead();
        Assert.True(RequestParser.TryParse(bytes, HttpLimits.Default, whole, out _));
        for (int length = 1; length < bytes.Length; length++)
        {
            Assert.False(RequestParser.TryParse(bytes.AsSpan(0, length), HttpLimits.Default, slow, out _));
        }

        Assert.True(RequestParser.TryParse(bytes, HttpLimits.Default, slow, out _));
        Assert.Equal(Describe(whole), Describe(slow));
    }

    // RFC 9112 unless said otherwise.
    [Theory]
    [InlineData("GET / HTTP/1.1\n\n", ParseFault.BareLineFeed)] // §2.2
    [InlineData("\nGET / HTTP/1.1\r\n\r\n", ParseFault.BareLineFeed)]
    [InlineData("GET / HTTP/1.1\r\nA: b\n\r\n", ParseFault.BareLineFeed)]
    [InlineData("GET / HTTP/1.1\r\nA: b\r\n\n", ParseFault.BareLineFeed)]
    [InlineData("\r\n\r\nGET / HTTP/1.1\r\n\r\n", ParseFault.EmptyLines)]
    [InlineData("GET /\r\n", ParseFault.RequestLine)] // HTTP/0.9
    [InlineData("GET\r\n", ParseFault.RequestLine)]
    [InlineData(" GET / HTTP/1.1\r\n", ParseFault.Method)]
    [InlineData("G(T / HTTP/1.1\r\n", ParseFault.Method)]
    [InlineData("GET\t/ HTTP/1.1\r\n", ParseFault.RequestLine)]
    [InlineData("GET  / HTTP/1.1\r\n", ParseFault.Target)]
    [InlineData("GET /  HTTP/1.1\r\n", ParseFault.Target)]
    [InlineData("GET / HTTP/1.1 \r\n", ParseFault.Version)]
    [InlineData("GET /a b HTTP/1.1\r\n", ParseFault.Target)]
    [InlineData("GET /\x01 HTTP/1.1\r\n", ParseFault.Target)]
    [InlineData("GET /\x7f HTTP/1.1\r\n", ParseFault.Target)]
    [InlineData("GET /é HTTP/1.1\r\n", ParseFault.Target)]
    [InlineData("GET /#top HTTP/1.1\r\n", ParseFault.Target)]
    [InlineData("GET v1/drop HTTP/1.1\r\n", ParseFault.Target)]
    [InlineData("GET * HTTP/1.1\r\n", ParseFault.Target)] // §3.2.4
    [InlineData("GET couic:80 HTTP/1.1\r\n", ParseFault.Target)] // §3.2.3
    [InlineData("GET ftp://couic/ HTTP/1.1\r\n", ParseFault.Target)]
    [InlineData("GET http:/// HTTP/1.1\r\n", ParseFault.HostInvalid)]
    [InlineData("GET http://user@couic/ HTTP/1.1\r\n", ParseFault.HostInvalid)] // RFC 9110 §4.2.4
    [InlineData("GET / HTTP/1.1x\r\n", ParseFault.Version)]
    [InlineData("GET / http/1.1\r\n", ParseFault.Version)]
    [InlineData("GET / HTTP/11\r\n", ParseFault.Version)]
    [InlineData("GET / HTTP/1.10\r\n", ParseFault.Version)]
    [InlineData("GET / HTTP/2.0\r\n", ParseFault.VersionUnsupported)]
    [InlineData("GET / HTTP/0.9\r\n", ParseFault.VersionUnsupported)]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ParseFault.VersionUnsupported)] // RFC 9113 §3.4
    [InlineData("GET / HTTP/1.1\r\nA : b\r\n", ParseFault.FieldName)] // §5.1
    [InlineData("GET / HTTP/1.1\r\n: b\r\n", ParseFault.FieldName)]
    [InlineData("GET / HTTP/1.1\r\nA\r\n", ParseFault.FieldName)]
    [InlineData("GET / HTTP/1.1\r\nA B: c\r\n", ParseFault.FieldName)]
    [InlineData("GET / HTTP/1.1\r\nÄ: c\r\n", ParseFault.FieldName)]
    [InlineData("GET / HTTP/1.1\r\n A: b\r\n", ParseFault.FieldFolded)] // §2.2
    [InlineData("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n", ParseFault.FieldFolded)] // §5.2
    [InlineData("GET / HTTP/1.1\r\nA: b\rc\r\n", ParseFault.FieldValue)]
    [InlineData("GET / HTTP/1.1\r\nA: b\0c\r\n", ParseFault.FieldValue)] // RFC 9110 §5.5
    [InlineData("GET / HTTP/1.1\r\nA: b\x7f\r\n", ParseFault.FieldValue)]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n", ParseFault.HostRepeated)] // §3.2
    [InlineData("GET / HTTP/1.1\r\nHost: a b\r\n", ParseFault.HostInvalid)]
    [InlineData("GET / HTTP/1.1\r\nHost: a/b\r\n", ParseFault.HostInvalid)]
    [InlineData("GET / HTTP/1.1\r\nHost: a:b\r\n", ParseFault.HostInvalid)]
    [InlineData("GET / HTTP/1.1\r\nHost: a, b\r\n", ParseFault.HostInvalid)]
    [InlineData("GET / HTTP/1.1\r\nHost: [::1\r\n", ParseFault.HostInvalid)]
    [InlineData("POST / HTTP/1.1\r\nContent-Length:\r\n", ParseFault.ContentLength)] // §6.3
    [InlineData("POST / HTTP/1.1\r\nContent-Length: -1\r\n", ParseFault.ContentLength)]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: +1\r\n", ParseFault.ContentLength)]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 1.0\r\n", ParseFault.ContentLength)]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 0x1\r\n", ParseFault.ContentLength)]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 1 2\r\n", ParseFault.ContentLength)]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 4, 4\r\n", ParseFault.ContentLength)]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n", ParseFault.ContentLength)]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 4\r\n", ParseFault.ContentLengthRepeated)]
    [InlineData("POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n", ParseFault.LengthTwice)] // §6.1
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n", ParseFault.LengthTwice)]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", ParseFault.TransferEncoding)]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", ParseFault.TransferEncoding)]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", ParseFault.TransferEncoding)] // §6.3
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", ParseFault.TransferEncoding)]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", ParseFault.TransferEncodingUnknown)]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n", ParseFault.TransferEncodingUnknown)]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", ParseFault.TransferEncodingUnknown)]
    [InlineData("POST / HTTP/1.1\r\nTransfer-Encoding: chunked;q=1\r\n\r\n", ParseFault.TransferEncodingUnknown)]
    [InlineData("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", ParseFault.TransferEncodingOld)] // §6.1
    public void MalformedRequest_HasASpecificFault(string text, ParseFault expected)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        Assert.False(RequestParser.TryParse(bytes, HttpLimits.Default, NewHead(), out ParseFault fault));
        Assert.Equal(expected, fault);

        RequestHead slow = NewHead();
        fault = ParseFault.None;
        for (int length = 1; length <= bytes.Length && fault == ParseFault.None; length++)
        {
            Assert.False(RequestParser.TryParse(bytes.AsSpan(0, length), HttpLimits.Default, slow, out fault));
        }

        Assert.Equal(expected, fault);
    }

    [Theory]
    [InlineData("\r\nGET / HTTP/1.1\r\n\r\n", "/")] // §2.2: one empty line is forgiven
    [InlineData("GET http://couic.example/v1/drop?a HTTP/1.1\r\n\r\n", "/v1/drop")]
    [InlineData("GET HTTPS://[::1]:80/v1 HTTP/1.1\r\nHost: other\r\n\r\n", "/v1")]
    [InlineData("GET http://couic HTTP/1.1\r\n\r\n", "")]
    [InlineData("GET http://couic?a=b HTTP/1.1\r\n\r\n", "")]
    [InlineData("OPTIONS * HTTP/1.1\r\n\r\n", "")]
    [InlineData("CONNECT couic:80 HTTP/1.1\r\n\r\n", "")]
    [InlineData("GET / HTTP/1.1\r\nHost:\r\n\r\n", "/")]
    [InlineData("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "/")]
    [InlineData("GET / HTTP/1.1\r\nX: caf\u00e9\r\n\r\n", "/")]
    [InlineData("GET /{\"<>|^`}% HTTP/1.1\r\n\r\n", "/{\"<>|^`}%")]
    [InlineData("GET / HTTP/1.9\r\n\r\n", "/")]
    public void UnusualButValidRequest_IsAccepted(string text, string path)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        RequestHead head = NewHead();
        Assert.True(RequestParser.TryParse(bytes, HttpLimits.Default, head, out ParseFault fault), fault.ToString());
        Assert.Equal(path, Text(head.Path, bytes));
    }

    [Theory]
    [InlineData("HTTP/1.1", "", true)]
    [InlineData("HTTP/1.1", "Connection: close\r\n", false)]
    [InlineData("HTTP/1.1", "Connection: x, CLOSE\r\n", false)]
    [InlineData("HTTP/1.1", "Connection: keep-alive\r\nConnection: close\r\n", false)]
    [InlineData("HTTP/1.0", "", false)]
    [InlineData("HTTP/1.0", "Connection: Keep-Alive\r\n", true)]
    [InlineData("HTTP/1.0", "Connection: keep-alive, close\r\n", false)]
    public void KeepAliveFollowsVersionAndConnection(string version, string field, bool expected)
    {
        RequestHead head = NewHead();
        Assert.True(RequestParser.TryParse(Encoding.ASCII.GetBytes($"GET / {version}\r\n{field}\r\n"), HttpLimits.Default, head, out _));
        Assert.Equal(expected, head.KeepAlive);
    }

    [Fact]
    public void EveryLimitHoldsToTheByte()
    {
        HttpLimits limits = new() { MaxRequestLineBytes = 40, MaxHeaderFields = 3, MaxHeaderBytes = 60 };
        string line = $"GET /{new string('a', 26)} HTTP/1.1";
        Assert.Equal(40, line.Length);
        Assert.Equal(ParseFault.None, FaultOf(line + "\r\n", limits));
        Assert.Equal(ParseFault.RequestLineTooLong, FaultOf("X" + line + "\r\n", limits));
        Assert.Equal(ParseFault.RequestLineTooLong, FaultOf(new string('a', 42), limits));
        Assert.Equal(ParseFault.None, FaultOf(new string('a', 40), limits));

        const string Start = "GET / HTTP/1.1\r\n";
        Assert.Equal(ParseFault.None, FaultOf(Start + "A: b\r\nA: b\r\nA: b\r\n\r\n", limits));
        Assert.Equal(ParseFault.TooManyFields, FaultOf(Start + "A: b\r\nA: b\r\nA: b\r\nA: b\r\n", limits));
        Assert.Equal(ParseFault.FieldsTooLong, FaultOf(Start + "A: " + new string('b', 58), limits));
        Assert.Equal(ParseFault.FieldsTooLong, FaultOf(Start + "A: " + new string('b', 58) + "\r\n\r\n", limits));
        Assert.Equal(ParseFault.None, FaultOf(Start + "A: " + new string('b', 50) + "\r\n\r\n", limits));
    }

    [Fact]
    public void EveryFaultHasAStatusAndAText()
    {
        foreach (ParseFault fault in Enum.GetValues<ParseFault>().Where(f => f != ParseFault.None))
        {
            Assert.Contains(fault.Status(), new[] { 400, 408, 414, 431, 501, 505 });
            Assert.NotEqual("malformed request", fault.Text());
        }
    }

    [Fact]
    public void RandomBytesNeverThrowAndPiecesChangeNothing()
    {
        byte[] good = Encoding.ASCII.GetBytes(Good);
        byte[] odd = "\r\n :\t\0,;Hh%/\x7f\xff"u8.ToArray();
        Gen.Select(Gen.Select(Gen.Int[0, good.Length - 1], Gen.OneOf(odd)).Array[1, 4], Gen.Int[1, 29].Array[1, 20]).Sample(
            (edits, pieceLengths) =>
            {
                byte[] bytes = [.. good];
                foreach ((int at, byte value) in edits)
                {
                    bytes[at] = value;
                }

                RequestHead whole = NewHead(), pieces = NewHead();
                bool complete = RequestParser.TryParse(bytes, HttpLimits.Default, whole, out ParseFault fault);
                bool completeInPieces = false;
                ParseFault faultInPieces = ParseFault.None;
                int length = 0;
                for (int i = 0; length < bytes.Length && !completeInPieces && faultInPieces == ParseFault.None; i++)
                {
                    length = Math.Min(bytes.Length, length + pieceLengths[i % pieceLengths.Length]);
                    completeInPieces = RequestParser.TryParse(bytes.AsSpan(0, length), HttpLimits.Default, pieces, out faultInPieces);
                }

                Assert.Equal((complete, fault), (completeInPieces, faultInPieces));
                Assert.True(!complete || Describe(whole) == Describe(pieces));
            },
            iter: 40_000);
    }

    private static ParseFault FaultOf(string text, HttpLimits limits)
    {
        RequestParser.TryParse(Encoding.ASCII.GetBytes(text), limits, NewHead(), out ParseFault fault);
        return fault;
    }

    private static RequestHead NewHead()
    {
        var head = new RequestHead();
        head.Reset();
        return head;
    }

    private static string Text(Slice slice, byte[] bytes) => Encoding.Latin1.GetString(slice.Of(bytes));

    private static string Describe(RequestHead h) =>
        $"{h.Verb} {h.Method} {h.Path} {h.Query} {h.Fields} {h.Authorization} {h.AuthorizationCount} {h.ContentType} {h.ContentTypeCount} "
        + $"{h.IsHttp10} {h.IsChunked} {h.ContentLength} {h.KeepAlive} {h.ExpectsContinue} {h.Length}";
}
