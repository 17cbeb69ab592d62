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
        { "RFC 9112 §3.2.4: asterisk form of another method", "GET * HTTP/1.1\r\n\r\n", "400" },
        { "RFC 9112 §5.1: space in front of the colon", "GET /v1/drop HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "400" },
        { "RFC 9112 §5.2: folded field", "GET /v1/drop HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "400" },
        { "RFC 9110 §5.5: NUL in a value", "GET /v1/drop HTTP/1.1\r\nA: b\0c\r\n\r\n", "400" },
        { "RFC 9110 §5.1: NUL in a name", "GET /v1/drop HTTP/1.1\r\nA\0: b\r\n\r\n", "400" },
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
        { "RFC 9112 §7.1: chunk size behind a space", Chunked(" 1\r\nx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: bare LF behind a chunk size", Chunked("1\nx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1: chunk longer than its size", Chunked("1\r\nxy\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1.1: bare LF in an extension", Chunked("1;a=\"\nb\"\r\nx\r\n0\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1.2: malformed trailer", Chunked("0\r\nA : b\r\n\r\n") + Next, "400" },
        { "RFC 9112 §7.1.2: trailers cannot authorize", Unauthorized("2\r\n{}\r\n0\r\nAuthorization: Bearer TOKEN\r\n\r\n"), "401" },
        { "RFC 9112 §9.3: half-close behind the request", "GET /v1/drop HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\n\r\n", "200" },
        { "RFC 9112 §9.3.2: two requests in one piece", "GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n", "404 404" },
        { "RFC 9112 §9.6: nothing behind close", "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n" + Next, "404" },
        { "RFC 9110 §9.3.1: body behind GET", $"GET /a HTTP/1.1\r\nContent-Length: {Next.Length}\r\n\r\n" + Next, "404" },
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
        while (answers.Length > 0)
        {
            Assert.StartsWith("HTTP/1.1 ", answers, StringComparison.Ordinal);
            statuses.Add(int.Parse(answers.AsSpan(9, 3), CultureInfo.InvariantCulture));
            int end = answers.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
            string length = answers[..end].Split("\r\n").Single(line => line.StartsWith("content-length: ", StringComparison.Ordinal))[16..];
            answers = answers[(end + int.Parse(length, CultureInfo.InvariantCulture))..];
        }

        return statuses;
    }
}
