using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>
/// Requests that are malformed, ambiguous or endless, over the socket of the built program. Each names its section; the
/// request that each of them hides ("GET /v1/smuggled") must not be answered where it is not one.
/// </summary>
public sealed class AbuseTests(SharedDaemon shared) : IClassFixture<SharedDaemon>
{
    private const string Next = "GET /v1/smuggled HTTP/1.1\r\n\r\n";

    /// <summary>Bytes (Latin-1; TOKEN is a good one), and the statuses that come back before the connection ends.</summary>
    public static TheoryData<string, string, string> Cases => new()
    {
        { "RFC 9112 §2.2: bare LF in the head", "GET /v1/drop HTTP/1.1\nHost: a\n\n" + Next, "400" },
        { "RFC 9112 §2.2: bare CR in a value", "GET /v1/drop HTTP/1.1\r\nA: b\rHost: c\r\n\r\n" + Next, "400" },
        { "RFC 9112 §2.2: white space in front of the first field", "GET /v1/drop HTTP/1.1\r\n Host: a\r\n\r\n" + Next, "400" },
        { "RFC 9112 §2.2: two empty lines in front", "\r\n\r\nGET /v1/drop HTTP/1.1\r\n\r\n", "400" },
        { "RFC 9112 §2.2: one empty line in front", "\r\nGET /v1/drop HTTP/1.1\r\nConnection: close\r\n\r\n", "401" },
        { "RFC 9112 §3: doubled space", "GET  /v1/drop HTTP/1.1\r\n\r\n" + Next, "400" },
        { "RFC 9112 §3: tab for a space", "GET\t/v1/drop\tHTTP/1.1\r\n\r\n" + Next, "400" },
        { "RFC 1945 §4.1: HTTP/0.9", "GET /v1/drop\r\n" + Next, "400" },
        { "RFC 9113 §3.4: preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505" },
        { "RFC 9110 §2.5: another major version", "GET /v1/drop HTTP/3.1\r\n\r\n", "505" },
        { "RFC 9112 §2.3: version in lower case", "GET /v1/drop http/1.1\r\n\r\n", "400" },
        { "RFC 9112 §3.2: two Host fields", "GET /v1/drop HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400" },
        { "RFC 9112 §3.2: Host that is none", "GET /v1/drop HTTP/1.1\r\nHost: a b\r\n\r\n", "400" },
        { "RFC 9112 §3.2.2: absolute form", "GET http://couic/v1/nothing/ HTTP/1.1\r\nConnection: close\r\n\r\n", "404" },
        { "RFC 9112 §3.2.4: asterisk form", "OPTIONS * HTTP/1.1\r\nConnection: close\r\n\r\n", "404" },
        { "RFC 9112 §3.2.2: absolute form of another host than Host's", "GET http://couic/a HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n", "404" },
        { "RFC 9112 §3.2.2: absolute form with a user", "GET http://user@couic/a HTTP/1.1\r\n\r\n" + Next, "400" },
        { "RFC 9112 §3.2.3: authority form", "CONNECT couic:80 HTTP/1.1\r\nConnection: close\r\n\r\n" + Next, "404" },
        { "RFC 9112 §3.2.3: authority form of another method", "GET couic:80 HTTP/1.1\r\n\r\n" + Next, "400" },
        { "RFC 9112 §3.2: fragment in the target", "GET /a#b HTTP/1.1\r\n\r\n" + Next, "400" },
        { "RFC 9112 §3.2: NUL in the target", "GET /a\0 HTTP/1.1\r\n\r\n" + Next, "400" },
        { "RFC 9112 §3.2: control character in the target", "GET /a\u007f HTTP/1.1\r\n\r\n" + Next, "400" },
        { "RFC 3986 §2.1: broken escape in the target", "GET /v1/drop/%2 HTTP/1.1\r\nConnection: close\r\nAuthorization: Bearer TOKEN\r\n\r\n", "404" },
        { "RFC 3986 §6.2.2.3: dots in the path are a name", "GET /v1/x/../drop HTTP/1.1\r\nConnection: close\r\nAuthorization: Bearer TOKEN\r\n\r\n", "400" },
        { "RFC 9110 §9.1: method in lower case is another one", "get /v1/drop HTTP/1.1\r\nConnection: close\r\n\r\n", "405" },
        { "RFC 9112 §3.2.4: asterisk form of another method", "GET * HTTP/1.1\r\n\r\n", "400" },
        { "RFC 9112 §5.1: space in front of the colon", "GET /v1/drop HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400" },
        { "RFC 9112 §5.2: folded field", "GET /v1/drop HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "400" },
        { "RFC 9110 §5.5: NUL in a value", "GET /v1/drop HTTP/1.1\r\nA: b\0c\r\n\r\n", "400" },
        { "RFC 9110 §5.1: NUL in a name", "GET /v1/drop HTTP/1.1\r\nA\0: b\r\n\r\n", "400" },
        { "RFC 9110 §5.1: name that is not ASCII", "GET /v1/drop HTTP/1.1\r\nTransfer-\u00cbncoding: chunked\r\n\r\n" + Next, "400" },
        { "RFC 9110 §5.1: empty name", "GET /v1/drop HTTP/1.1\r\n: b\r\n\r\n" + Next, "400" },
        { "RFC 9110 §5.1: field without a colon", "GET /v1/drop HTTP/1.1\r\nTransfer-Encoding\r\n\r\n" + Next, "400" },
        { "RFC 9112 §5.2: Transfer-Encoding folded", "POST /a HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + Next, "400" },
        { "RFC 9110 §7.8: no upgrade to HTTP/2", "GET /a HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", "404" },
        { "RFC 9112 §6.3: a length under another name is none", $"POST /a HTTP/1.1\r\nContent_Length: {Next.Length}\r\n\r\nGET /b HTTP/1.1\r\n\r\n", "404 404" },
        { "RFC 9112 §6.1: a coding beside an unknown one", "POST /v1/drop HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-encoding: x\r\n\r\n0\r\n\r\n" + Next, "400" },
        { "RFC 9112 §6.1: coding after a tab", "POST /a HTTP/1.1\r\nTransfer-Encoding:\tchunked\r\nConnection: close\r\n\r\n0\r\n\r\n" + Next, "404" },
        { "RFC 9112 §6.1: coding in quotes", "POST /v1/drop HTTP/1.1\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n" + Next, "501" },
        { "RFC 9112 §6.1: coding with a parameter", "POST /v1/drop HTTP/1.1\r\nTransfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n" + Next, "501" },
        { "RFC 9110 §8.6: empty length", "POST /v1/drop HTTP/1.1\r\nContent-Length:\r\n\r\n" + Next, "400" },
        { "RFC 9110 §8.6: two numbers in a length", "POST /v1/drop HTTP/1.1\r\nContent-Length: 0 0\r\n\r\n" + Next, "400" },
        { "RFC 9110 §8.6: fraction of a length", "POST /v1/drop HTTP/1.1\r\nContent-Length: 0.0\r\n\r\n" + Next, "400" },
        { "RFC 9110 §10.1.1: a refused expectation's body is not a request", $"POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {Next.Length}\r\n\r\n" + Next, "404" },
        { "RFC 9112 §6.1: both lengths", "POST /v1/drop HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Next, "400" },
        { "RFC 9112 §6.1: both lengths, the other way round", "POST /v1/drop HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + Next, "400" },
        { "RFC 9112 §6.1: coding hidden by a control character", "POST /v1/drop HTTP/1.1\r\nTransfer-Encoding: \vchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + Next, "400" },
        { "RFC 9112 §6.1: unknown coding", "POST /v1/drop HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + Next, "501" },
        { "RFC 9112 §6.1: chunked is not the last", "POST /v1/drop HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + Next, "400" },
        { "RFC 9112 §6.1: chunked twice", "POST /v1/drop HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Next, "400" },
        { "RFC 9112 §6.1: coding in HTTP/1.0", "POST /v1/drop HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + Next, "400" },
        { "RFC 9112 §6.3: two lengths", "POST /v1/drop HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 28\r\n\r\n" + Next, "400" },
        { "RFC 9112 §6.3: two equal lengths", "POST /v1/drop HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n" + Next, "400" },
        { "RFC 9112 §6.3: list of lengths", "POST /v1/drop HTTP/1.1\r\nContent-Length: 0, 0\r\n\r\n" + Next, "400" },
        { "RFC 9110 §8.6: signed length", "POST /v1/drop HTTP/1.1\r\nContent-Length: +0\r\n\r\n" + Next, "400" },
        { "RFC 9110 §8.6: negative length", "POST /v1/drop HTTP/1.1\r\nContent-Length: -1\r\n\r\n" + Next, "400" },
        { "RFC 9110 §8.6: length that overflows", "POST /v1/drop HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n" + Next, "400" },
        { "RFC 9110 §8.6: hexadecimal length", "POST /v1/drop HTTP/1.1\r\nContent-Length: 0x0\r\n\r\n" + Next, "400" },
        { "RFC 9112 §7.1: chunk size that overflows", Chunked("ffffffffffffffff1\r\nx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: negative chunk size", Chunked("-1\r\nx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: chunk size with a prefix", Chunked("0x1\r\nx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: chunk size after a space", Chunked(" 1\r\nx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: bare LF after a chunk size", Chunked("1\nx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: chunk longer than its size", Chunked("1\r\nxy\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: chunk size with an underscore", Chunked("1_0\r\nx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: bare CR after a chunk size", Chunked("1\rx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: chunk ended by another two bytes", Chunked("1\r\nxZZ0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: bare LF after a chunk", Chunked("1\r\nx\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: empty line for a chunk size", Chunked("\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: chunk that breaks off", Chunked("ff\r\n{"), "400" },
        { "RFC 9112 §7.1: last chunk without its end", Chunked("2\r\n{}\r\n0\r\n"), "400" },
        { "RFC 9112 §7.1.1: extensions are thrown away", Unauthorized("2;a=b ; c=\"d;e\"\r\n{}\r\n0;f\r\n\r\n") + Next, "401" },
        { "RFC 9112 §7.1.1: NUL in an extension", Chunked("1;a=\0\r\nx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1.1: endless extension", Chunked("1;" + new string('a', 5000) + "\r\nx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1.2: trailers are no header", Unauthorized("2\r\n{}\r\n0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n") + Next, "401" },
        { "RFC 9112 §7.1.2: too many trailers", Chunked("0\r\n" + string.Concat(Enumerable.Repeat("A: b\r\n", 200)) + "\r\n") + Next, "431" },
        { "RFC 9112 §7.1.2: folded trailer", Chunked("0\r\nA: b\r\n c\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1.1: bare LF in an extension", Chunked("1;a=\"\nb\"\r\nx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1.2: malformed trailer", Chunked("0\r\nA : b\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1.2: trailers cannot authorize", Unauthorized("2\r\n{}\r\n0\r\nAuthorization: Bearer TOKEN\r\n\r\n"), "401" },
        { "RFC 9112 §9.3: half-close after the request", "GET /v1/drop HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\n\r\n", "200" },
        { "RFC 9112 §9.3.2: two requests in one piece", "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n", "404 404" },
        { "RFC 9112 §9.3: a connection that only half-closes", "", "" },
        { "RFC 9112 §9.3: empty line between two requests", "GET /a HTTP/1.1\r\n\r\n\r\nGET /b HTTP/1.1\r\n\r\n", "404 404" },
        { "RFC 9112 §9.3: HTTP/1.0 ends with its answer", "GET /a HTTP/1.0\r\n\r\n" + Next, "404" },
        { "RFC 9112 §9.6: nothing after close", "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n" + Next, "404" },
        { "RFC 9110 §9.3.1: body after GET", $"GET /a HTTP/1.1\r\nContent-Length: {Next.Length}\r\n\r\n" + Next, "404" },
        { "RFC 9112 §6.3: body that breaks off", "POST /v1/drop HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{", "400" },
        { "RFC 9112 §8: head that breaks off", "GET /v1/drop HTTP/1.1\r\nHost: a\r\n", "" },
        { "RFC 9110 §4.1: too long a line", "GET /" + new string('a', 9000) + " HTTP/1.1\r\n\r\n", "414" },
        { "RFC 6585 §5: too many fields", "GET / HTTP/1.1\r\n" + string.Concat(Enumerable.Repeat("A: b\r\n", 200)) + "\r\n", "431" },
        { "RFC 6585 §5: too long a field", "GET / HTTP/1.1\r\nA: " + new string('b', 40_000) + "\r\n\r\n", "431" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void EachCaseHasItsAnswersAndNoOther(string section, string request, string expected)
    {
        string statuses = string.Join(' ', Send(request.Replace("TOKEN", shared.Api.Token, StringComparison.Ordinal)));
        Assert.True(statuses == expected, $"{section}: \"{statuses}\", not \"{expected}\"");
    }

    /// <summary>
    /// Concatenated pieces of the cases. FUZZ_SECONDS, if set, is the duration; a failure names the seed.
    /// </summary>
    [Fact]
    public void WhateverIsPutTogetherFromThemHasOrderlyAnswers()
    {
        string[] requests = [.. Cases.Select(c => c.Data.Item2.Replace("TOKEN", shared.Api.Token, StringComparison.Ordinal)).Where(r => r.Length < 2000)];
        TimeSpan? time = int.TryParse(Environment.GetEnvironmentVariable("FUZZ_SECONDS"), out int seconds) ? TimeSpan.FromSeconds(seconds) : null;
        int seed = time is null ? 1 : Random.Shared.Next();
        Random random = new(seed);
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; time is null ? round < 3000 : Stopwatch.GetElapsedTime(start) < time; round++)
        {
            string request = string.Concat(Enumerable.Range(0, random.Next(1, 5)).Select(_ => Piece(random, requests)));
            List<int> statuses = Send(request);
            Assert.True(statuses.All(s => s is < 500 or 501 or 505), $"seed {seed}, round {round}: {string.Join(' ', statuses)} to {request}");
        }

        Assert.Equal(200, shared.Api.Get("/v1/status").Status);
    }

    [Fact]
    public void TenThousandPipelinedRequestsAreAllAnswered() =>
        Assert.Equal(10_000, Send(string.Concat(Enumerable.Repeat("GET /a HTTP/1.1\r\n\r\n", 10_000))).Count(status => status == 404));

    [Fact]
    public void AnEndlessHeaderIsRefusedAndAnEndlessBodyCutOff()
    {
        foreach (string start in new[] { "GET / HTTP/1.1\r\n", "POST /v1/drop HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" })
        {
            using Socket socket = Connect();
            socket.Send(Encoding.ASCII.GetBytes(start));
            byte[] more = Encoding.ASCII.GetBytes(start.StartsWith('G') ? "A: b\r\n" : $"400\r\n{new string('x', 1024)}\r\n");
            Assert.ThrowsAny<SocketException>(() => SendForEver(socket, more));
        }

        Assert.Equal(200, shared.Api.Get("/v1/status").Status);
    }

    [Fact]
    public async Task AByteASecond_DelaysNoOtherClient_AndTimesOut()
    {
        // RFC 9110 §15.5.9. Both time limits are 10 s by default: a head has to be whole by then, a body has to come at some rate.
        using Socket head = Connect(), body = Connect();
        head.Send("GET /v1/drop HTTP/1.1\r\n"u8);
        body.Send(Encoding.ASCII.GetBytes(Chunked("").Replace("TOKEN", shared.Api.Token, StringComparison.Ordinal)));
        Task<string>[] slow = [Task.Run(() => Drip(head, "A: b\r\n")), Task.Run(() => Drip(body, "1\r\n \r\n"))];
        Assert.Equal(200, shared.Api.Get("/v1/status").Status);

        Assert.All(await Task.WhenAll(slow), answer => Assert.StartsWith("HTTP/1.1 408 ", answer, StringComparison.Ordinal));
        Assert.Equal(200, shared.Api.Get("/v1/status").Status);
    }

    [Fact]
    public void WhoLeavesInTheMiddleLeavesNothingBehind()
    {
        string whole = $"POST /v1/drop HTTP/1.1\r\nAuthorization: Bearer {shared.Api.Token}\r\nContent-Type: application/json\r\nContent-Length: 44\r\n\r\n"
            + """{"cidr":"198.51.100.77/32","expiration":0}  """;
        for (int length = 0; length < whole.Length; length++)
        {
            using Socket socket = Connect();
            socket.Send(Encoding.ASCII.GetBytes(whole[..length]));
        }

        Assert.Equal(404, shared.Api.Get("/v1/drop/198.51.100.77/32").Status);
        using Socket last = Connect();
        last.Send(Encoding.ASCII.GetBytes(whole));
        Assert.StartsWith("HTTP/1.1 201 ", ReadSome(last), StringComparison.Ordinal);
        shared.Api.Remove("drop", "198.51.100.77/32");
    }

    private static string Piece(Random random, string[] requests)
    {
        string request = requests[random.Next(requests.Length)];
        int from = random.Next(2) == 0 ? 0 : random.Next(request.Length + 1);
        return request[from..(random.Next(2) == 0 ? request.Length : random.Next(from, request.Length + 1))];
    }

    /// <summary>A byte a second, again and again, until there is an answer; that is returned.</summary>
    private static string Drip(Socket socket, string text)
    {
        for (int i = 0; ; i++)
        {
            if (socket.Poll(TimeSpan.FromSeconds(1), SelectMode.SelectRead))
            {
                return ReadSome(socket);
            }

            socket.Send(Encoding.ASCII.GetBytes(text.Substring(i % text.Length, 1)));
        }
    }

    private static string ReadSome(Socket socket)
    {
        byte[] buffer = new byte[4096];
        return Encoding.ASCII.GetString(buffer, 0, socket.Receive(buffer));
    }

    private static void SendForEver(Socket socket, byte[] bytes)
    {
        while (true)
        {
            socket.Send(bytes);
        }
    }

    private static string Chunked(string body) =>
        "POST /v1/drop HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + body;

    private static string Unauthorized(string body) =>
        "POST /v1/drop HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body;

    private Socket Connect()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { SendTimeout = 30_000, ReceiveTimeout = 30_000 };
        socket.Connect(new UnixDomainSocketEndPoint(shared.Daemon.Socket));
        return socket;
    }

    /// <summary>Sends everything, half-closes, and reads to the end: the statuses of all answers.</summary>
    private List<int> Send(string request)
    {
        using Socket socket = Connect();
        Task sending = Task.Run(() =>
        {
            try
            {
                socket.Send(Encoding.Latin1.GetBytes(request));
                socket.Shutdown(SocketShutdown.Send);
            }
            catch (SocketException)
            {
                // Closed before it was all read: what was answered says whether that was right.
            }
        });
        var received = new List<byte>();
        var buffer = new byte[64 * 1024];
        try
        {
            for (int n; (n = socket.Receive(buffer)) > 0;)
            {
                received.AddRange(buffer.AsSpan(0, n));
            }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
            // The end, where something was left unread.
        }

        sending.Wait();
        return Statuses(Encoding.Latin1.GetString([.. received]));
    }

    private static List<int> Statuses(string answers)
    {
        var statuses = new List<int>();
        for (int at = 0; at < answers.Length;)
        {
            int end = answers.IndexOf("\r\n\r\n", at, StringComparison.Ordinal) + 4;
            string head = answers[at..end];
            Assert.StartsWith("HTTP/1.1 ", head, StringComparison.Ordinal);
            int status = int.Parse(head.AsSpan(9, 3), CultureInfo.InvariantCulture);
            at = end;
            if (status != 100) // followed by the answer itself
            {
                statuses.Add(status);
            }

            if (status is not (100 or 204))
            {
                string length = head.Split("\r\n").Single(line => line.StartsWith("content-length: ", StringComparison.Ordinal))[16..];
                at += int.Parse(length, CultureInfo.InvariantCulture);
            }
        }

        return statuses;
    }
}
