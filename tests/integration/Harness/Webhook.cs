using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;

namespace Couic.IntegrationTests.Harness;

/// <summary>A web server on a namespace's loopback that keeps what is posted to it and gives the answers that a test sets.</summary>
internal sealed class Webhook : IDisposable
{
    private readonly TcpListener _listener;
    private readonly X509Certificate2? _certificate;
    private readonly List<(string Head, string Body)> _requests = [];

    /// <param name="certificate">With one it speaks TLS.</param>
    public Webhook(NetSpace space, int port, X509Certificate2? certificate = null)
    {
        _certificate = certificate;
        _listener = space.Do(() =>
        {
            TcpListener listener = new(IPAddress.Loopback, port);
            listener.Server.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            listener.Start();
            return listener;
        });
        new Thread(Accept) { IsBackground = true, Name = "webhook" }.Start();
    }

    /// <summary>The status of the n-th answer (from 0); 0 closes the connection instead.</summary>
    public Func<int, int> Status { get; set; } = _ => 200;

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

    /// <summary>The reports of all batches that were answered with 200, in order.</summary>
    public IReadOnlyList<JsonElement> Reports =>
        [.. Requests.Where((_, i) => Status(i) == 200).SelectMany(r => JsonDocument.Parse(r.Body).RootElement.EnumerateArray())];

    /// <summary>Their CIDRs.</summary>
    public IReadOnlyList<string> Cidrs => [.. Reports.Select(r => r.GetProperty("entry").GetProperty("cidr").GetString()!)];

    public void Dispose() => _listener.Dispose();

    private void Accept()
    {
        while (true)
        {
            try
            {
                TcpClient client = _listener.AcceptTcpClient();
                new Thread(() => Serve(client)) { IsBackground = true }.Start();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
            {
                return;
            }
        }
    }

    private void Serve(TcpClient client)
    {
        using (client)
        {
            try
            {
                using BufferedStream stream = new(Secure(client.GetStream()));
                while (ReadRequest(stream) is { } request)
                {
                    int status;
                    lock (_requests)
                    {
                        status = Status(_requests.Count);
                        _requests.Add(request);
                    }

                    if (status == 0)
                    {
                        return;
                    }

                    stream.Write(Encoding.ASCII.GetBytes($"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"));
                    stream.Flush();
                }
            }
            catch (Exception e) when (e is IOException or AuthenticationException)
            {
                // the other side has gone
            }
        }
    }

    private Stream Secure(NetworkStream plain)
    {
        if (_certificate is null)
        {
            return plain;
        }

        SslStream tls = new(plain);
        tls.AuthenticateAsServer(_certificate);
        return tls;
    }

    private static (string Head, string Body)? ReadRequest(Stream stream)
    {
        StringBuilder head = new();
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            int c = stream.ReadByte();
            if (c < 0)
            {
                return null;
            }

            head.Append((char)c);
        }

        string? length = head.ToString().Split("\r\n").FirstOrDefault(l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase));
        byte[] body = new byte[length is null ? 0 : int.Parse(length.AsSpan(15), CultureInfo.InvariantCulture)];
        stream.ReadExactly(body);
        return (head.ToString(), Encoding.UTF8.GetString(body));
    }
}
