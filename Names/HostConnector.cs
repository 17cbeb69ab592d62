using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Couic.Names;

/// <summary>Opens TCP connections to hosts.</summary>
public static class HostConnector
{
    /// <summary>Tries the addresses one after the other; each has its share of the time that is left.</summary>
    /// <exception cref="SocketException">None could be connected to; the cause is that of the last one.</exception>
    public static async ValueTask<Socket> ConnectAsync(IReadOnlyList<IPAddress> addresses, int port, TimeSpan limit, CancellationToken cancel)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; ; i++)
        {
            TimeSpan left = (limit - Stopwatch.GetElapsedTime(start)) / (addresses.Count - i);
            try
            {
                return await ConnectAsync(new IPEndPoint(addresses[i], port), left, cancel).ConfigureAwait(false);
            }
            catch (SocketException) when (i + 1 < addresses.Count)
            {
                // The next one may be reachable: the other family, or another machine.
            }
        }
    }

    private static async ValueTask<Socket> ConnectAsync(IPEndPoint target, TimeSpan limit, CancellationToken cancel)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        end.CancelAfter(limit > TimeSpan.Zero ? limit : TimeSpan.Zero);
        var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(target, end.Token).ConfigureAwait(false);
            return socket;
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            socket.Dispose();
            throw new SocketException((int)SocketError.TimedOut);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
