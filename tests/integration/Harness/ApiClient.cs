using System.Net.Sockets;
using System.Text;

namespace Couic.IntegrationTests.Harness;

/// <summary>
/// A raw HTTP/1.1 client on the daemon's Unix socket: it writes exactly the given text, keeps its connection, and can send
/// many requests before it reads the first answer.
/// </summary>
public sealed class ApiClient(string socketPath, string? token) : IDisposable
{
    private static readonly int PatienceMs = 60_000;
    private Socket? _socket;
    private BufferedStream? _stream;

    public string? Token => token;

    public Answer Get(string target) => Request("GET", target);

    public Answer Delete(string target) => Request("DELETE", target);

    public Answer Post(string target, string body, string contentType = "application/json") => Request("POST", target, body, contentType);

    public Answer Request(string method, string target, string? body = null, string contentType = "application/json") =>
        Exchange(Text(method, target, body, contentType), method == "HEAD");

    /// <summary>Adds an entry that never expires and expects 201.</summary>
    public Answer Add(string policy, string cidr, string? tag = null, long expiration = 0, string query = "") =>
        Post($"/v1/{policy}{query}", EntryBody(cidr, tag, expiration)).Expect(201);

    /// <summary>Removes an entry and expects 204.</summary>
    public Answer Remove(string policy, string cidr) => Delete($"/v1/{policy}/{cidr}").Expect(204);

    public static string EntryBody(string cidr, string? tag = null, long expiration = 0) =>
        $$"""{"cidr":"{{cidr}}","tag":{{(tag == null ? "null" : $"\"{tag}\"")}},"expiration":{{expiration}}}""";

    public string Text(string method, string target, string? body = null, string contentType = "application/json")
    {
        StringBuilder head = new($"{method} {target} HTTP/1.1\r\nHost: couic\r\n");
        if (token != null)
        {
            head.Append($"Authorization: Bearer {token}\r\n");
        }

        if (body != null)
        {
            head.Append($"Content-Type: {contentType}\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n");
        }

        return head.Append("\r\n").Append(body).ToString();
    }

    /// <summary>Sends bytes as they are and reads one answer.</summary>
    public Answer Exchange(string request, bool headOnly = false)
    {
        Connect();
        _socket!.Send(Encoding.UTF8.GetBytes(request));
        Answer answer = Read(headOnly);
        if (answer.Headers.TryGetValue("connection", out string? connection) && connection == "close")
        {
            Dispose();
        }

        return answer;
    }

    /// <summary>Sends all requests down one connection while reading the answers, and returns their statuses in order.</summary>
    public int[] Pipeline(IReadOnlyList<string> requests)
    {
        Connect();
        Socket socket = _socket!;
        Task writing = Task.Run(() =>
        {
            StringBuilder batch = new();
            for (int i = 0; i < requests.Count; i++)
            {
                batch.Append(requests[i]);
                if (batch.Length > 32_000 || i == requests.Count - 1)
                {
                    byte[] bytes = Encoding.UTF8.GetBytes(batch.ToString());
                    for (int sent = 0; sent < bytes.Length;)
                    {
                        sent += socket.Send(bytes.AsSpan(sent));
                    }

                    batch.Clear();
                }
            }
        });
        int[] statuses = new int[requests.Count];
        for (int i = 0; i < statuses.Length; i++)
        {
            statuses[i] = Read(headOnly: false).Status;
        }

        writing.Wait();
        return statuses;
    }

    public void Dispose()
    {
        _stream?.Dispose();
        _socket?.Dispose();
        _socket = null;
        _stream = null;
    }

    private void Connect()
    {
        if (_socket != null)
        {
            return;
        }

        _socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
        {
            ReceiveTimeout = PatienceMs,
            SendTimeout = PatienceMs,
        };
        try
        {
            _socket.Connect(new UnixDomainSocketEndPoint(socketPath));
        }
        catch
        {
            Dispose();
            throw;
        }

        _stream = new BufferedStream(new NetworkStream(_socket), 65536);
    }

    private Answer Read(bool headOnly)
    {
        string[] status = Line().Split(' ', 3);
        Dictionary<string, string> headers = [];
        for (string line = Line(); line.Length > 0; line = Line())
        {
            int colon = line.IndexOf(':', StringComparison.Ordinal);
            headers[line[..colon].ToLowerInvariant()] = line[(colon + 1)..].Trim();
        }

        string body = headOnly ? "" : Body(headers);
        return new Answer(int.Parse(status[1]), headers, body);
    }

    private string Body(Dictionary<string, string> headers)
    {
        if (headers.TryGetValue("content-length", out string? length))
        {
            return Encoding.UTF8.GetString(Bytes(int.Parse(length)));
        }

        if (!headers.TryGetValue("transfer-encoding", out string? coding))
        {
            return "";
        }

        if (coding != "chunked")
        {
            throw new IOException($"read answer: unknown coding {coding}");
        }

        using MemoryStream whole = new();
        while (true)
        {
            int size = Convert.ToInt32(Line(), 16);
            whole.Write(Bytes(size));
            _ = Line();
            if (size == 0)
            {
                return Encoding.UTF8.GetString(whole.ToArray());
            }
        }
    }

    private byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        _stream!.ReadExactly(bytes);
        return bytes;
    }

    private string Line()
    {
        StringBuilder line = new();
        while (true)
        {
            int next = _stream!.ReadByte();
            if (next < 0)
            {
                throw new IOException($"read answer: the connection was closed after \"{line}\"");
            }

            if (next == '\n')
            {
                return line.ToString().TrimEnd('\r');
            }

            line.Append((char)next);
        }
    }
}
