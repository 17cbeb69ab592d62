using System.Net;
using System.Net.Sockets;
using System.Text;
using Couic.Names;
using Couic.Reporting;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Couic.Tests.Reporting;

public sealed class HttpTransportTests : IDisposable
{
    private readonly HostResolver _names = new(TimeProvider.System, NullLogger.Instance);
    private readonly HttpTransport _transport;

    public HttpTransportTests() => _transport = new("couic/9.9.9", TimeSpan.FromSeconds(60), _names);

    public void Dispose()
    {
        _transport.Dispose();
        _names.Dispose();
    }

    [Fact]
    public async Task Post_HasContentTypeAndUserAgent()
    {
        using var hook = new StubWebhook();
        Assert.Equal(200, (await PostAsync(hook.Url, "[1]")).Status);
        await PostAsync(hook.Url, "[2]");
        Assert.Equal(["[1]", "[2]"], hook.Requests.Select(r => r.Body));
        string head = hook.Requests[0].Head;
        Assert.StartsWith("POST /hook/secret HTTP/1.1\r\n", head, StringComparison.Ordinal);
        string[] lines = head.Split("\r\n");
        Assert.Contains("Content-Type: application/json", lines);
        Assert.Contains("Accept: application/json", lines);
        Assert.Contains("User-Agent: couic/9.9.9", lines);
    }

    [Fact]
    public async Task Statuses_AreReturned_AndRedirectsAreNotFollowed()
    {
        using var hook = new StubWebhook();
        hook.Answer = n => n == 0 ? StubWebhook.Status(307, $"Location: {hook.Url}\r\n") : StubWebhook.Status(503, "Retry-After: 7\r\n");
        Assert.Equal(new PostAnswer(307, "status 307"), await PostAsync(hook.Url, "[]"));
        Assert.Equal(new PostAnswer(503, "status 503", TimeSpan.FromSeconds(7)), await PostAsync(hook.Url, "[]"));
        Assert.Equal(2, hook.Requests.Count);
    }

    [Fact]
    public async Task Failures_AreExplainedInWords()
    {
        int port;
        using (var closed = new StubWebhook())
        {
            port = closed.Port;
        }

        Assert.Equal(new PostAnswer(0, "connection refused"), await PostAsync(new Uri($"http://127.0.0.1:{port}/x"), "[]"));

        using var hook = new StubWebhook();
        hook.Answer = _ => null;
        Assert.Equal(0, (await PostAsync(hook.Url, "[]")).Status);
        hook.Answer = _ => "garbage garbage garbage\r\n\r\n";
        Assert.Equal(0, (await PostAsync(hook.Url, "[]")).Status);
        hook.Answer = _ => "";
        using var impatient = new HttpTransport("couic/9.9.9", TimeSpan.FromMilliseconds(500), _names);
        Assert.Equal(new PostAnswer(0, "no answer within 0.5 s"), await impatient.PostAsync(hook.Url, "[]"u8.ToArray(), TestContext.Current.CancellationToken));
        hook.Answer = _ => StubWebhook.Status(200);
        Assert.Equal(200, (await PostAsync(hook.Url, "[]")).Status);
    }

    [Fact]
    public async Task EndlessResponse_DoesNotDelayThePost()
    {
        using var hook = new StubWebhook();
        hook.Answer = _ => $"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n{new string('x', 1_000_000)}";
        Assert.Equal(200, (await PostAsync(hook.Url, "[]")).Status);
        hook.Answer = _ => StubWebhook.Status(204);
        Assert.Equal(204, (await PostAsync(hook.Url, "[]")).Status);
    }

    [Fact]
    public async Task UntrustedCertificate_IsRefused()
    {
        using var key = System.Security.Cryptography.RSA.Create(2048);
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest(
            "CN=127.0.0.1", key, System.Security.Cryptography.HashAlgorithmName.SHA256, System.Security.Cryptography.RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        bool posted = false;
        Task server = Task.Run(async () =>
        {
            using TcpClient client = await listener.AcceptTcpClientAsync();
            using var tls = new System.Net.Security.SslStream(client.GetStream());
            try
            {
                await tls.AuthenticateAsServerAsync(certificate);
                posted = await tls.ReadAsync(new byte[100]) > 0;
            }
            catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
            {
                // the client has hung up
            }
        }, TestContext.Current.CancellationToken);
        PostAnswer answer = await PostAsync(new Uri($"https://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/x"), "[]");
        await server;
        Assert.Equal(new PostAnswer(0, "the certificate is not trusted, or TLS failed"), answer);
        Assert.False(posted);
    }

    private ValueTask<PostAnswer> PostAsync(Uri url, string body) => _transport.PostAsync(url, Encoding.UTF8.GetBytes(body), default);
}
