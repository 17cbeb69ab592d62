using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Couic.Tests.Reporting;

/// <summary>A web server on loopback that keeps what is posted to it and answers what the test says.</summary>
internal sealed class StubWebhook : IDisposable
{
    private readonly TcpListener _listener;
    private readonly List<(string Head, string Body)> _requests = [];
    private readonly CancellationTokenSource _stop = new();

    public StubWebhook(int port = 0)
    {
        _listener = new TcpListener(IPAddress.Loopback, port);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _ = Task.Run(AcceptAsync);
    }

    public int Port { get; }

    public Uri Url => new($"http://127.0.0.1:{Port}/hook/secret");

    /// <summary>What is sent back to the n-th request (from 0); null closes the connection without an answer.</summary>
    public Func<int, string?> Answer { get; set; } = _ => Status(200);

    public IReadOnlyList<(string Head, string Body)> Requests
    {
        get
        {
            lock (_requests)
            {
                return [.. _requests];
            }
        }
    }

    public static string Status(int status, string extra = "") => $"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n{extra}\r\n{{}}";

    public async Task WaitForAsync(int count)
    {
        for (int i = 0; i < 6_000 && Requests.Count < count; i++)
        {
            await Task.Delay(10);
        }
    }

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
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
            NetworkStream stream = client.GetStream();
            var received = new MemoryStream();
            var buffer = new byte[16 * 1024];
            int n;
            while ((n = await stream.ReadAsync(buffer)) > 0)
            {
                received.Write(buffer, 0, n);
                while (TryTake(received, out (string Head, string Body) request))
                {
                    int number;
                    lock (_requests)
                    {
                        number = _requests.Count;
                        _requests.Add(request);
                    }

                    if (Answer(number) is not { } answer)
                    {
                        return;
                    }

                    await stream.WriteAsync(Encoding.UTF8.GetBytes(answer));
                }
            }
        }
    }

    private static bool TryTake(MemoryStream received, out (string Head, string Body) request)
    {
        request = default;
        byte[] all = received.ToArray();
        int end = all.AsSpan().IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return false;
        }

        string head = Encoding.ASCII.GetString(all, 0, end);
        string? length = head.Split("\r\n").FirstOrDefault(l => l.StartsWith("Content-Length: ", StringComparison.OrdinalIgnoreCase));
        int size = length is null ? 0 : int.Parse(length["Content-Length: ".Length..], System.Globalization.CultureInfo.InvariantCulture);
        if (all.Length < end + 4 + size)
        {
            return false;
        }

        request = (head, Encoding.UTF8.GetString(all, end + 4, size));
        received.SetLength(0);
        received.Write(all.AsSpan(end + 4 + size));
        return true;
    }
}
