using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>
/// The kernel's notices of interfaces that come, go or change (RTNLGRP_LINK of rtnetlink(7)), for the network namespace of the
/// thread that opened it. Needs no privilege. Not thread-safe.
/// </summary>
internal sealed unsafe class LinkNotices : IDisposable
{
    private const uint RTMGRP_LINK = 1;

    /// <summary>Datagrams per call of <see cref="Drain"/>, so that an endless flood cannot keep its caller.</summary>
    private const int MaxDatagrams = 4096;

    private readonly SafeFileHandle _socket;
    private readonly byte[] _buffer = new byte[64 * 1024];

    private LinkNotices(SafeFileHandle socket) => _socket = socket;

    /// <summary>Readable when a notice has come.</summary>
    public SafeHandle Handle => _socket;

    public static Errno TryOpen(out LinkNotices? notices)
    {
        notices = null;
        var socket = new SafeFileHandle(Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, Libc.NETLINK_ROUTE), ownsHandle: true);
        if (socket.IsInvalid)
        {
            return Libc.LastError;
        }

        var address = new Libc.sockaddr_nl { nl_family = Libc.AF_NETLINK, nl_groups = RTMGRP_LINK };
        if (Libc.bind((int)socket.DangerousGetHandle(), in address, (uint)sizeof(Libc.sockaddr_nl)) != 0)
        {
            Errno errno = Libc.LastError;
            socket.Dispose();
            return errno;
        }

        notices = new LinkNotices(socket);
        return Errno.None;
    }

    /// <summary>Takes what has come, without waiting.</summary>
    /// <returns>
    /// Whether <paramref name="concerns"/> was true for an interface, or notices were lost (ENOBUFS: the reader was too slow) or could
    /// not be read, so that anything may have changed.
    /// </returns>
    public bool Drain(Predicate<NetworkInterface> concerns)
    {
        bool changed = false;
        for (int i = 0; i < MaxDatagrams; i++)
        {
            Errno errno = Receive(out ReadOnlySpan<byte> datagram);
            if (errno == Errno.EAGAIN)
            {
                return changed;
            }

            changed |= errno != Errno.None || Concern(datagram, changed, concerns);
        }

        return true;
    }

    public void Dispose() => _socket.Dispose();

    private static bool Concern(ReadOnlySpan<byte> datagram, bool known, Predicate<NetworkInterface> concerns)
    {
        while (!known && Netlink.TryReadMessage(ref datagram, out NetlinkMessage message))
        {
            known = message.Type is Netlink.RTM_NEWLINK or Netlink.RTM_DELLINK
                && Netlink.TryReadLink(message.Payload, out NetworkInterface link) && concerns(link);
        }

        return known;
    }

    private Errno Receive(out ReadOnlySpan<byte> datagram)
    {
        fixed (byte* bytes = _buffer)
        {
            while (true)
            {
                nint length = Libc.recv((int)_socket.DangerousGetHandle(), bytes, (nuint)_buffer.Length, Libc.MSG_DONTWAIT);
                if (length >= 0 || Libc.LastError != Errno.EINTR)
                {
                    datagram = _buffer.AsSpan(0, (int)Math.Max(0, length));
                    return length < 0 ? Libc.LastError : Errno.None;
                }
            }
        }
    }
}
