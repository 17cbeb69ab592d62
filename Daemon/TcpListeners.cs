using System.Net;
using System.Net.Sockets;
using Couic.CommandLine;

namespace Couic.Daemon;

/// <summary>The sockets of <c>[server] listen</c>. The privileged stage binds them, because a port below 1024 takes a privilege; the daemon listens.</summary>
internal static class TcpListeners
{
    // asm-generic/socket.h, linux/in6.h
    private const int SOL_SOCKET = 1, SO_REUSEADDR = 2, IPPROTO_IPV6 = 41, IPV6_V6ONLY = 26;

    /// <exception cref="StartException">An address is taken, or is not one of this machine.</exception>
    public static Socket[] Bind(IReadOnlyList<IPEndPoint> addresses)
    {
        var sockets = new List<Socket>();
        foreach (IPEndPoint address in addresses)
        {
            bool sharesPort = addresses.Any(other => other.AddressFamily == AddressFamily.InterNetwork && other.Port == address.Port);
            sockets.Add(Bind(address, onlyV6: sharesPort));
        }

        return [.. sockets];
    }

    private static Socket Bind(IPEndPoint address, bool onlyV6)
    {
        try
        {
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }; // accepted sockets inherit it

            // Connections of the last run may wait in TIME_WAIT. The framework's option would also set SO_REUSEPORT.
            socket.SetRawSocketOption(SOL_SOCKET, SO_REUSEADDR, BitConverter.GetBytes(1));
            if (address.AddressFamily == AddressFamily.InterNetworkV6)
            {
                socket.SetRawSocketOption(IPPROTO_IPV6, IPV6_V6ONLY, BitConverter.GetBytes(onlyV6 ? 1 : 0));
            }

            socket.Bind(address);
            return socket;
        }
        catch (SocketException e)
        {
            string cause = e.SocketErrorCode switch
            {
                SocketError.AddressAlreadyInUse => "another program listens there (stop it, or set another [server] listen)",
                SocketError.AddressNotAvailable => "no interface of this machine has that address (ip address shows them)",
                SocketError.AccessDenied => "permission denied (a port below 1024 takes root, or CAP_NET_BIND_SERVICE)",
                SocketError.AddressFamilyNotSupported => "this kernel has no IPv6 (use 0.0.0.0 in place of [::])",
                _ => CommandLine.SystemErrors.Text(e),
            };
            throw new StartException($"listen on \"{address}\": {cause}", e);
        }
    }
}
