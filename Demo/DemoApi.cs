using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;

namespace Couic.Demo;

/// <summary>The requests of the demonstration, over the daemon's Unix socket.</summary>
internal sealed class DemoApi : IDisposable
{
    private readonly HttpClient _http;

    public DemoApi(string socketPath, string token)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancel) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(socketPath), cancel);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        _http = new HttpClient(handler) { BaseAddress = new Uri("http://couic/"), Timeout = TimeSpan.FromSeconds(5) };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    /// <param name="expiration">Seconds since 1970; 0 for never.</param>
    public void Add(string policy, string cidr, long expiration)
    {
        using var body = new StringContent(
            $$"""{"cidr":"{{cidr}}","tag":"demo","expiration":{{expiration}}}""", Encoding.UTF8, "application/json");
        Request(HttpMethod.Post, $"v1/{policy}", body);
    }

    public void Remove(string policy, string cidr) => Request(HttpMethod.Delete, $"v1/{policy}/{cidr}", null);

    public void Dispose() => _http.Dispose();

    private void Request(HttpMethod method, string path, HttpContent? body)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body };

        // The handler ignores the connect callback in its synchronous path, so the asynchronous one is awaited.
        using HttpResponseMessage response = _http.SendAsync(request).GetAwaiter().GetResult();
        if (!response.IsSuccessStatusCode)
        {
            string answer = response.Content.ReadAsStringAsync().GetAwaiter().GetResult();
            throw new IOException($"{method} /{path}: {(int)response.StatusCode}: {answer}");
        }
    }
}
