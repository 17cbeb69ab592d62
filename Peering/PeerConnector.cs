using System.Net;
using System.Net.Sockets;
using Couic.Names;

namespace Couic.Peering;

/// <summary>Opens TCP connections to one peer, and finds out whether it can be reached. Thread-safe.</summary>
internal sealed class PeerConnector(PeerSettings peer, HostResolver names)
{
    public static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(2);

    /// <summary>Between two probes while a peer is out of reach or an answer is late.</summary>
    public static readonly TimeSpan ProbeInterval = TimeSpan.FromMilliseconds(250);

    // linux/tcp.h
    private const int IpProtoTcp = 6;
    private const int TcpUserTimeout = 18;

    /// <summary>A connected socket whose sent data must be acknowledged in time.</summary>
    /// <exception cref="UnresolvedHostException">The peer is named by a name, and no address of it is known.</exception>
    public async ValueTask<Socket> ConnectAsync(CancellationToken cancel)
    {
        IReadOnlyList<IPAddress> addresses = await names.ResolveAsync(peer.Host, ConnectLimit, cancel).ConfigureAwait(false);
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        Socket socket = await HostConnector.ConnectAsync(addresses, peer.Port, ConnectLimit, cancel).ConfigureAwait(false);
        try
        {
            SetUserTimeout(socket, System.Diagnostics.Stopwatch.GetElapsedTime(start));
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Tries to connect every quarter of a second, without waiting for the tries before, until one is through. Each is a
    /// handshake and nothing more; requests keep to their back-off.
    /// </summary>
    /// <returns>Whether a try that began earlier has failed or is still waiting: the path was cut meanwhile.</returns>
    public async Task<bool> WaitUntilReachableAsync(CancellationToken cancel)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var pending = new List<Task<bool>>();
        bool anyFailed = false;
        try
        {
            while (true)
            {
                cancel.ThrowIfCancellationRequested();
                pending.Add(ProbeAsync(end.Token));
                var pause = Task.Delay(ProbeInterval, end.Token);
                while (await Task.WhenAny([pause, .. pending]).ConfigureAwait(false) is Task<bool> probe)
                {
                    if (await probe.ConfigureAwait(false))
                    {
                        return anyFailed || pending[0] != probe;
                    }

                    anyFailed = true;
                    pending.Remove(probe);
                }
            }
        }
        finally
        {
            await end.CancelAsync().ConfigureAwait(false);
        }
    }

    private async Task<bool> ProbeAsync(CancellationToken cancel)
    {
        try
        {
            using Socket socket = await ConnectAsync(cancel).ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is SocketException or UnresolvedHostException or OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>
    /// Without it the kernel goes on sending into a cut path for a quarter of an hour, at ever longer intervals, and the
    /// path would be back for seconds before the next try.
    /// </summary>
    private static void SetUserTimeout(Socket socket, TimeSpan roundTrip)
    {
        int milliseconds = (int)Math.Clamp(roundTrip.TotalMilliseconds * 4, 750, 5_000);
        socket.SetRawSocketOption(IpProtoTcp, TcpUserTimeout, BitConverter.GetBytes(milliseconds));
    }
}
