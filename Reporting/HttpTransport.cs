using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Authentication;
using Couic.Names;

namespace Couic.Reporting;

/// <summary>
/// Posts JSON over HTTP or HTTPS with keep-alive and certificate verification. It follows no redirects, which would disclose the secret
/// path, and discards response bodies. Thread-safe.
/// </summary>
internal sealed class HttpTransport : IReportTransport, IDisposable
{
    private const int MaxAnswerBytes = 64 * 1024;

    private readonly HttpClient _client;

    /// <param name="product">The <c>User-Agent</c>, such as <c>couic/2.0.0</c>.</param>
    /// <param name="timeout">The limit of a whole post.</param>
    /// <param name="names">Resolves the names of web servers.</param>
    public HttpTransport(string product, TimeSpan timeout, HostResolver names)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ConnectTimeout = timeout,
            ConnectCallback = async (context, cancel) =>
            {
                // Less than the whole time, so that a name that cannot be resolved is distinguished from a server that does not respond.
                IReadOnlyList<IPAddress> addresses = await names.ResolveAsync(context.DnsEndPoint.Host, timeout * 0.75, cancel).ConfigureAwait(false);
                Socket socket = await HostConnector.ConnectAsync(addresses, context.DnsEndPoint.Port, timeout, cancel).ConfigureAwait(false);
                return new NetworkStream(socket, ownsSocket: true);
            },
            PooledConnectionLifetime = TimeSpan.FromMinutes(5), // the name's address may change
            MaxConnectionsPerServer = 1,
            MaxResponseDrainSize = MaxAnswerBytes,
            ResponseDrainTimeout = TimeSpan.FromSeconds(1),
        };
        _client = new HttpClient(handler) { Timeout = timeout };
        _client.DefaultRequestHeaders.UserAgent.ParseAdd(product);
        _client.DefaultRequestHeaders.Accept.ParseAdd("application/json");
    }

    public async ValueTask<PostAnswer> PostAsync(Uri target, ReadOnlyMemory<byte> json, CancellationToken cancel)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, target);
            request.Content = new ReadOnlyMemoryContent(json);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using HttpResponseMessage answer = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel).ConfigureAwait(false);
            int status = (int)answer.StatusCode;
            return new PostAnswer(status, string.Create(CultureInfo.InvariantCulture, $"status {status}"), RetryAfter(answer));
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new PostAnswer(0, string.Create(CultureInfo.InvariantCulture, $"no answer within {_client.Timeout.TotalSeconds} s"));
        }
        catch (OperationCanceledException)
        {
            return new PostAnswer(0, "stopped");
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException)
        {
            return new PostAnswer(0, Cause(e));
        }
    }

    public void Dispose() => _client.Dispose();

    private static TimeSpan? RetryAfter(HttpResponseMessage answer) =>
        answer.Headers.RetryAfter is not { } after ? null
        : after.Delta ?? (after.Date is { } date && answer.Headers.Date is { } now ? date - now : null);

    /// <summary>The innermost cause, in our words if it has a code: the framework's texts may be mere keys.</summary>
    private static string Cause(Exception e)
    {
        for (Exception? inner = e; inner is not null; inner = inner.InnerException)
        {
            switch (inner)
            {
                case UnresolvedHostException unresolved:
                    return unresolved.Message;
                case SocketException socket:
                    return Words(socket.SocketErrorCode);
                case AuthenticationException:
                    return "the certificate is not trusted, or TLS failed";
                case HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError }:
                    return "the name cannot be resolved";
                default:
                    break;
            }
        }

        return e is HttpRequestException { HttpRequestError: HttpRequestError.ResponseEnded } ? "the connection ended before the answer"
            : e is HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse } ? "the answer is not HTTP"
            : "the connection failed";
    }

    private static string Words(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.ConnectionReset => "connection reset",
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain => "the name cannot be resolved",
        SocketError.HostUnreachable or SocketError.NetworkUnreachable => "no route to the host",
        SocketError.TimedOut => "connecting timed out",
        _ => error.ToString(),
    };
}

/// <summary>Posts bodies.</summary>
internal interface IReportTransport
{
    /// <summary>Posts once. Failures of the server or the network do not throw.</summary>
    ValueTask<PostAnswer> PostAsync(Uri target, ReadOnlyMemory<byte> json, CancellationToken cancel);
}

/// <param name="Status">The HTTP status; 0 without a response.</param>
/// <param name="Cause">Why there was no response, or the status in words; without the target's path.</param>
/// <param name="RetryAfter">The server's Retry-After (RFC 9110 §10.2.3); null without one.</param>
internal readonly record struct PostAnswer(int Status, string Cause, TimeSpan? RetryAfter = null)
{
    public bool IsSuccess => Status is >= 200 and < 300;
}

/// <summary>A webhook as it may be shown: the last segment of its path, its query and its credentials are secrets.</summary>
public static class WebhookName
{
    public static string Of(Uri webhook)
    {
        string path = webhook.AbsolutePath;
        int last = path.TrimEnd('/').LastIndexOf('/');
        string shown = last >= 0 && path.Length > 1 ? path[..(last + 1)] + "…" : "/";
        return $"{webhook.Scheme}://{webhook.Authority}{shown}";
    }
}
