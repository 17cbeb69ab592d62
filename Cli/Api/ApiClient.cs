using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Couic.CommandLine;

namespace Couic.Cli.Api;

/// <summary>
/// Sends requests to the daemon over its socket or the network, one at a time. Every failure is a <see cref="CliException"/>
/// that says what to do.
/// </summary>
internal sealed class ApiClient : IDisposable
{
    /// <summary>Time limit for the head of an answer; a streamed body has none.</summary>
    public static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(10);

    /// <summary>How long an upload waits for <c>100 Continue</c> (RFC 9110 §10.1.1); a busy machine may need seconds.</summary>
    private static readonly TimeSpan ContinueTime = TimeSpan.FromSeconds(5);

    private readonly Endpoint _endpoint;
    private readonly ServerTrust _trust;
    private readonly HttpClient _http;
    private string[] _warnings = [];

    public ApiClient(Endpoint endpoint)
    {
        _endpoint = endpoint;
        _trust = new ServerTrust(endpoint);
        _http = new HttpClient(Handler()) { Timeout = Timeout.InfiniteTimeSpan, BaseAddress = endpoint.BaseUri };
    }

    public Endpoint Endpoint => _endpoint;

    public ApiAnswer Get(string path) => Send(HttpMethod.Get, path);

    public ApiAnswer Delete(string path) => Send(HttpMethod.Delete, path);

    /// <summary>Sends a JSON body.</summary>
    public ApiAnswer Send<T>(HttpMethod method, string path, T body, JsonTypeInfo<T> type)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body, type));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return Send(method, path, content);
    }

    /// <summary>Sends a request and reads the whole answer.</summary>
    public ApiAnswer Send(HttpMethod method, string path, HttpContent? content = null, TimeSpan? limit = null)
    {
        byte[] body = [];
        int status = Stream(method, path, content, stream => body = ReadAll(stream), limit);
        return new ApiAnswer(status, body, _warnings);
    }

    /// <summary>Sends a request and passes on the body of the answer as it arrives.</summary>
    /// <returns>The status, always a success.</returns>
    public int Stream(
        HttpMethod method, string path, HttpContent? content, Action<Stream> read, TimeSpan? limit = null, params IEnumerable<(string Name, string Value)> headers)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        foreach ((string name, string value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + _endpoint.Token);
        request.Headers.TryAddWithoutValidation("User-Agent", $"{CouicctlCommands.Name}/{ProductVersion.Text}");
        if (content is { Headers.ContentLength: null })
        {
            // A long upload waits for 100 Continue, so that a refusal is read before the body is sent.
            request.Headers.ExpectContinue = true;
        }

        using HttpResponseMessage response = Exchange(request, limit ?? AnswerTime);
        int status = (int)response.StatusCode;
        try
        {
            using Stream stream = response.Content.ReadAsStream();
            if (!response.IsSuccessStatusCode)
            {
                throw ApiRefusal.Explain(status, path, ReadAll(stream, ApiRefusal.MaxBytes), _endpoint);
            }

            // RFC 7234 §5.5: the text is a quoted string.
            _warnings = [.. response.Headers.Warning.Select(warning => warning.Text.Trim('"'))];
            read(stream);
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or InvalidOperationException or IOException)
        {
            throw new CliException($"the answer of the daemon at {_endpoint.Display} is incomplete or unreadable (see its log: journalctl -u couic)");
        }

        return status;
    }

    /// <summary>Parses a body of a known type.</summary>
    public T Parse<T>(ApiAnswer answer, JsonTypeInfo<T> type)
    {
        T? value = default;
        Read(() => value = JsonSerializer.Deserialize(answer.Body, type) ?? throw new JsonException());
        return value!;
    }

    /// <summary>Runs a parser of an answer; a malformed answer becomes an error message.</summary>
    public void Read(Action read)
    {
        try
        {
            read();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a lone surrogate in a string, which the reader reports only when the string is read.
            throw new CliException($"the answer of the daemon at {_endpoint.Display} is not what couicctl {ProductVersion.Text} expects (is it another version?)");
        }
    }

    /// <summary>
    /// The addresses under which a remote daemon probably sees this machine: those that the system uses to send there. Empty
    /// for a local daemon, for a tunnel that ends on this machine, or when the name is unknown.
    /// </summary>
    public IReadOnlyList<IPAddress> OwnAddresses()
    {
        var own = new List<IPAddress>();
        foreach (IPAddress remote in _endpoint.Socket is null ? Resolve(_endpoint.Host) : [])
        {
            try
            {
                // Connecting a datagram socket sends no packet; it only selects the route.
                using var probe = new Socket(remote.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
                probe.Connect(remote, _endpoint.Port);
                if (probe.LocalEndPoint is IPEndPoint { Address: { } local } && !IPAddress.IsLoopback(local))
                {
                    own.Add(local);
                }
            }
            catch (SocketException)
            {
                // No route for this address family.
            }
        }

        return own;
    }

    public void Dispose() => _http.Dispose();

    private static IPAddress[] Resolve(string host)
    {
        try
        {
            return IPAddress.TryParse(host, out IPAddress? address) ? [address] : Dns.GetHostAddresses(host);
        }
        catch (SocketException)
        {
            return []; // the request itself will say so
        }
    }

    private HttpResponseMessage Exchange(HttpRequestMessage request, TimeSpan limit)
    {
        using var timer = new CancellationTokenSource(limit);
        try
        {
            return _http.Send(request, HttpCompletionOption.ResponseHeadersRead, timer.Token);
        }
        catch (HttpRequestException e)
        {
            throw ConnectFailure.Explain(e, _endpoint, _trust.Refusal);
        }
        catch (OperationCanceledException)
        {
            throw new CliException(timer.IsCancellationRequested
                ? $"no answer from the daemon at {_endpoint.Display} within {limit.TotalSeconds:0} s (see its log: journalctl -u couic)"
                : $"no connection to the daemon at {_endpoint.Display} within {ConnectTime.TotalSeconds:0} s (check \"host\", \"port\" and the firewalls between)")
            { ExitStatus = ExitStatus.Unreachable };
        }
    }

    private SocketsHttpHandler Handler()
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = ConnectTime,
            Expect100ContinueTimeout = ContinueTime,
            SslOptions = _trust.Options(),
        };
        if (_endpoint.Socket is { } path)
        {
            handler.ConnectCallback = (_, _) => ValueTask.FromResult<Stream>(Connect(path));
        }

        return handler;
    }

    private static NetworkStream Connect(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static byte[] ReadAll(Stream stream) => ReadAll(stream, int.MaxValue);

    private static byte[] ReadAll(Stream stream, int max)
    {
        using var copy = new MemoryStream();
        byte[] buffer = new byte[16384];
        int n;
        while (copy.Length < max && (n = stream.Read(buffer)) > 0)
        {
            copy.Write(buffer, 0, n);
        }

        return copy.ToArray();
    }
}

/// <summary>A successful answer, read completely.</summary>
/// <param name="Warnings">Warnings about a request that succeeded.</param>
internal sealed record ApiAnswer(int Status, byte[] Body, IReadOnlyList<string> Warnings);
