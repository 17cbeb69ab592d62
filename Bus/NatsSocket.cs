using System.Net;
using System.Net.Sockets;
using Couic.Names;
using NATS.Client.Core;

namespace Couic.Bus;

/// <summary>Opens the sockets of the client: host names are resolved by the one resolver, and sent data must be acknowledged in time.</summary>
internal sealed class NatsSockets(HostResolver names) : INatsSocketConnectionFactory
{
    public static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(3);

    public const int DefaultPort = 4222;

    // linux/tcp.h
    private const int TcpUserTimeout = 18;
    private const int UserTimeoutMilliseconds = 5_000;

    /// <summary>Why the last socket could not be opened; the client library does not say it.</summary>
    public Exception? Fault { get; private set; }

    public async ValueTask<INatsSocketConnection> ConnectAsync(Uri uri, NatsOpts opts, CancellationToken cancellationToken)
    {
        try
        {
            return new Connection(await OpenAsync(uri, cancellationToken).ConfigureAwait(false));
        }
        catch (Exception e)
        {
            Fault = e;
            throw;
        }
    }

    private async ValueTask<Socket> OpenAsync(Uri uri, CancellationToken cancellationToken)
    {
        IReadOnlyList<IPAddress> addresses = await names.ResolveAsync(uri.DnsSafeHost, ConnectLimit, cancellationToken).ConfigureAwait(false);
        Socket socket = await HostConnector.ConnectAsync(
            addresses, uri.Port > 0 ? uri.Port : DefaultPort, ConnectLimit, cancellationToken).ConfigureAwait(false);
        socket.SetRawSocketOption((int)ProtocolType.Tcp, TcpUserTimeout, BitConverter.GetBytes(UserTimeoutMilliseconds));
        return socket;
    }

    private sealed class Connection(Socket socket) : INatsTlsUpgradeableSocketConnection
    {
        public Socket Socket => socket;

        public ValueTask<int> SendAsync(ReadOnlyMemory<byte> buffer) => socket.SendAsync(buffer, SocketFlags.None);

        public ValueTask<int> ReceiveAsync(Memory<byte> buffer) => socket.ReceiveAsync(buffer, SocketFlags.None);

        public ValueTask DisposeAsync()
        {
            socket.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
