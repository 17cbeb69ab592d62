using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Couic.Tests.Peering;

/// <summary>A listener on loopback that reads requests and answers with whatever bytes it is told to.</summary>
internal sealed class StubPeer : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly CancellationTokenSource _end = new();
    private readonly Func<Request, Stream, Task<bool>> _answer;
    private readonly X509Certificate2? _certificate;

    /// <param name="answer">Writes the answer; false closes the connection.</param>
    /// <param name="port">0 for one that is free.</param>
    public StubPeer(Func<Request, Stream, Task<bool>> answer, X509Certificate2? certificate = null, int port = 0)
    {
        _listener = new TcpListener(IPAddress.Loopback, port);
        _answer = answer;
        _certificate = certificate;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _ = AcceptAsync();
    }

    public int Port { get; }

    public int Connections { get; private set; }

    public static StubPeer Answering(Func<Request, (int Status, string Body)> answer, int port = 0) => new(
        async (request, stream) =>
        {
            (int status, string body) = answer(request);
            await WriteAsync(stream, $"HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\ncontent-length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}");
            return true;
        },
        port: port);

    public static Task WriteAsync(Stream stream, string text) => stream.WriteAsync(Encoding.UTF8.GetBytes(text)).AsTask();

    public ValueTask DisposeAsync()
    {
        _end.Cancel();
        _listener.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task AcceptAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            try
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_end.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                await using Stream stream = await OpenAsync(client);
                while (await ReadAsync(stream) is { } request && await _answer(request, stream))
                {
                    // The next request of the connection.
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException or System.Security.Authentication.AuthenticationException)
            {
                // The other side has had enough.
            }
        }
    }

    private async Task<Stream> OpenAsync(TcpClient client)
    {
        if (_certificate is null)
        {
            return client.GetStream();
        }

        var tls = new SslStream(client.GetStream());
        await tls.AuthenticateAsServerAsync(_certificate);
        return tls;
    }

    private async Task<Request?> ReadAsync(Stream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one, _end.Token) == 0)
            {
                return null;
            }

            head.Append((char)one[0]);
        }

        Connections++;
        string[] lines = head.ToString().Split("\r\n");
        string? length = lines.FirstOrDefault(l => l.StartsWith("content-length:", StringComparison.OrdinalIgnoreCase));
        var body = new byte[length is null ? 0 : int.Parse(length.AsSpan(15), System.Globalization.CultureInfo.InvariantCulture)];
        await stream.ReadExactlyAsync(body, _end.Token);
        return new Request(lines[0].Split(' ')[1], head.ToString(), body);
    }

    public sealed record Request(string Path, string Head, byte[] Body)
    {
        public bool IsSync => Path.EndsWith("/sync", StringComparison.Ordinal);
    }
}
