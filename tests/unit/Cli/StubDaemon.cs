using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Couic.Tests.Cli;

/// <summary>A request as the stub received it.</summary>
public sealed record StubRequest(string Method, string Target, Dictionary<string, string> Headers, string Body)
{
    public override string ToString() => Body.Length == 0 ? $"{Method} {Target}" : $"{Method} {Target} {Body}";
}

/// <summary>What the stub answers.</summary>
public sealed record StubAnswer(int Status, string Body = "")
{
    /// <summary>Sent instead of an answer, byte for byte.</summary>
    public string? Raw { get; init; }

    /// <summary>Whether the connection stays open after <see cref="Raw"/> until the client closes it.</summary>
    public bool StaysOpen { get; init; }
}

/// <summary>
/// Something that listens on a Unix socket or a port, with or without TLS, speaks as much HTTP as couicctl needs, remembers what it was asked, and answers
/// what the test says.
/// </summary>
public sealed class StubDaemon : IDisposable
{
    private readonly Socket _listener;
    private readonly X509Certificate2? _certificate;
    private readonly List<StubRequest> _requests = [];

    public StubDaemon(string path)
        : this(new UnixDomainSocketEndPoint(path), null)
    {
    }

    /// <param name="certificate">With its key; null for no TLS.</param>
    public StubDaemon(EndPoint address, X509Certificate2? certificate)
    {
        _certificate = certificate;
        _listener = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        _listener.Bind(address);
        _listener.Listen(16);
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public Func<StubRequest, StubAnswer> Answer { get; set; } = _ => new StubAnswer(200, "{}");

    /// <summary>Answers as soon as the headers of a request are there, and closes.</summary>
    public bool AnswersEarly { get; set; }

    public IReadOnlyList<StubRequest> Requests
    {
        get
        {
            lock (_requests)
            {
                return [.. _requests];
            }
        }
    }

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    public void Dispose() => _listener.Dispose();

    private void Accept()
    {
        try
        {
            while (true)
            {
                Socket socket = _listener.Accept();
                new Thread(() => Serve(socket)) { IsBackground = true }.Start();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private void Serve(Socket socket)
    {
        using var plain = new NetworkStream(socket, ownsSocket: true);
        using Stream stream = _certificate is null ? plain : new SslStream(plain);
        try
        {
            (stream as SslStream)?.AuthenticateAsServer(_certificate!);
            while (ReadRequest(stream) is { } request)
            {
                lock (_requests)
                {
                    _requests.Add(request);
                }

                StubAnswer answer = Answer(request);
                stream.Write(Encoding.UTF8.GetBytes(answer.Raw ?? Head(answer) + answer.Body));
                if (answer.StaysOpen)
                {
                    _ = stream.ReadByte();
                }

                if (answer.Raw is not null || AnswersEarly)
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is IOException or AuthenticationException)
        {
            // The other side has gone, or does not trust us.
        }
    }

    private static string Head(StubAnswer answer)
    {
        string head = $"HTTP/1.1 {answer.Status} Stub\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
        return answer.Status == 204
            ? head + "\r\n"
            : head + $"content-type: application/json\r\ncontent-length: {Encoding.UTF8.GetByteCount(answer.Body)}\r\n\r\n";
    }

    private StubRequest? ReadRequest(Stream stream)
    {
        if (ReadLine(stream) is not { } first || !first.EndsWith(" HTTP/1.1", StringComparison.Ordinal))
        {
            return null;
        }

        string[] words = first.Split(' ');
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        while (ReadLine(stream) is { Length: > 0 } line)
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0)
            {
                return null; // no HTTP: somebody speaks TLS here
            }

            headers.Add(line[..colon], line[(colon + 1)..].Trim());
        }

        if (AnswersEarly)
        {
            return new StubRequest(words[0], words[1], headers, "");
        }

        if (headers.ContainsKey("Expect"))
        {
            stream.Write("HTTP/1.1 100 Continue\r\n\r\n"u8);
        }

        byte[] body = headers.TryGetValue("Content-Length", out string? length)
            ? ReadExactly(stream, int.Parse(length, CultureInfo.InvariantCulture))
            : headers.ContainsKey("Transfer-Encoding") ? ReadChunks(stream) : [];
        return new StubRequest(words[0], words[1], headers, Encoding.UTF8.GetString(body));
    }

    private static byte[] ReadChunks(Stream stream)
    {
        using var body = new MemoryStream();
        while (true)
        {
            int size = int.Parse(ReadLine(stream)!, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            body.Write(ReadExactly(stream, size));
            ReadLine(stream);
            if (size == 0)
            {
                return body.ToArray();
            }
        }
    }

    private static byte[] ReadExactly(Stream stream, int count)
    {
        byte[] bytes = new byte[count];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private static string? ReadLine(Stream stream)
    {
        var line = new StringBuilder();
        int c;
        while ((c = stream.ReadByte()) != '\n')
        {
            if (c < 0)
            {
                return null;
            }

            line.Append((char)c);
        }

        return line.ToString().TrimEnd('\r');
    }
}
