using System.Net;
using System.Net.Sockets;

namespace Couic.IntegrationTests.Harness;

/// <summary>
/// Carries TCP connections of a namespace to a daemon's Unix socket, as a reverse proxy without TLS would, and plays the bad
/// network on request.
/// </summary>
internal sealed class TcpRelay : IDisposable
{
    private readonly TcpListener _listener;
    private readonly string _socketPath;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _accepting;
    private long _bytes;

    public TcpRelay(NetSpace space, string address, int port, string socketPath)
    {
        _socketPath = socketPath;
        _listener = space.Do(() =>
        {
            TcpListener listener = new(IPAddress.Parse(address), port);
            listener.Start();
            return listener;
        });
        _accepting = Task.Run(Accept);
    }

    public RelayFaults Faults { get; } = new(seed: 1);

    /// <summary>Bytes that were carried, both ways, heads of HTTP included.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Stop();
        _accepting.Wait();
        _stop.Dispose();
    }

    private async Task Accept()
    {
        try
        {
            while (true)
            {
                _ = Carry(await _listener.AcceptSocketAsync(_stop.Token));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
        }
    }

    private async Task Carry(Socket outer)
    {
        using Socket inner = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        using (outer)
        {
            try
            {
                if (Faults.RefusesNext())
                {
                    return;
                }

                await inner.ConnectAsync(new UnixDomainSocketEndPoint(_socketPath), _stop.Token);
                await Task.WhenAny(Copy(outer, inner), Copy(inner, outer));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
            }
        }
    }

    private async Task Copy(Socket from, Socket to)
    {
        byte[] buffer = new byte[65536];
        try
        {
            for (int read; (read = await from.ReceiveAsync(buffer, _stop.Token)) > 0;)
            {
                await Faults.HoldUp();
                int? cut = Faults.CutAfter(read);
                for (int times = Faults.DoublesNext() ? 2 : 1; times > 0; times--)
                {
                    for (int sent = 0, all = cut ?? read; sent < all;)
                    {
                        sent += await to.SendAsync(buffer.AsMemory(sent, all - sent), _stop.Token);
                    }
                }

                Interlocked.Add(ref _bytes, cut ?? read);
                if (cut is not null)
                {
                    return; // ends both directions
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or InvalidOperationException)
        {
        }
    }
}
