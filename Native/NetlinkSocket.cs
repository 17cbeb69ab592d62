using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>A socket for rtnetlink requests, one at a time, or for notices of interfaces. Not thread-safe.</summary>
public sealed unsafe class NetlinkSocket : IDisposable
{
    private readonly FileDescriptor _socket;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private uint _sequence;

    private NetlinkSocket(FileDescriptor socket) => _socket = socket;

    internal SafeHandle Handle => _socket;

    /// <summary>Opens a socket in the network namespace of this thread; needs no privilege.</summary>
    public static Errno TryOpen(out NetlinkSocket? netlink) => TryOpen(groups: 0, out netlink);

    /// <param name="groups">The multicast groups whose notices it receives.</param>
    internal static Errno TryOpen(uint groups, out NetlinkSocket? netlink)
    {
        netlink = null;
        var socket = new FileDescriptor(Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, Libc.NETLINK_ROUTE));
        if (socket.IsInvalid)
        {
            return Libc.LastError;
        }

        var address = new Libc.sockaddr_nl { nl_family = Libc.AF_NETLINK, nl_groups = groups };
        if (groups != 0 && Libc.bind(socket.Number, in address, (uint)sizeof(Libc.sockaddr_nl)) != 0)
        {
            Errno errno = Libc.LastError;
            socket.Dispose();
            return errno;
        }

        // Texts that explain an error (Linux 4.12); older kernels return the number only.
        int one = 1;
        _ = Libc.setsockopt(socket.Number, Libc.SOL_NETLINK, Libc.NETLINK_EXT_ACK, &one, sizeof(int));
        netlink = new NetlinkSocket(socket);
        return Errno.None;
    }

    /// <summary>All interfaces of the namespace, in the kernel's order.</summary>
    public Errno ReadInterfaces(out List<NetworkInterface> interfaces)
    {
        interfaces = [];
        Span<byte> request = stackalloc byte[Netlink.HeaderSize + Netlink.LinkHeaderSize];
        request.Clear();
        Errno errno = Send(request, Netlink.RTM_GETLINK, Netlink.NLM_F_DUMP);
        ReadOnlySpan<byte> datagram = default;
        while (errno == Errno.None && (errno = ReceiveResponse(ref datagram, out NetlinkMessage message)) == Errno.None)
        {
            if (message.Type == Netlink.NLMSG_DONE)
            {
                return Errno.None;
            }

            if (message.Type == Netlink.NLMSG_ERROR)
            {
                return Netlink.ReadError(message, out _);
            }

            if (message.Type == Netlink.RTM_NEWLINK && Netlink.TryReadLink(message.Payload, out NetworkInterface link))
            {
                interfaces.Add(link);
            }
        }

        return errno;
    }

    /// <summary>The interface of that index; ENODEV if it does not exist.</summary>
    public Errno ReadInterface(int index, out NetworkInterface found)
    {
        Span<byte> request = stackalloc byte[Netlink.HeaderSize + Netlink.LinkHeaderSize + 8];
        request.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(request[(Netlink.HeaderSize + 4)..], index);
        return ReadInterface(request, out found);
    }

    /// <summary>The interface of that name, or of that alternative name (Linux 5.5); ENODEV if it does not exist.</summary>
    public Errno ReadInterface(string name, out NetworkInterface found)
    {
        byte[] utf8 = System.Text.Encoding.UTF8.GetBytes(name + '\0');
        Span<byte> request = stackalloc byte[Netlink.HeaderSize + Netlink.LinkHeaderSize + 8 + 4 + 128];
        if (utf8.Length > 128)
        {
            found = default;
            return Errno.ENODEV;
        }

        request.Clear();
        int end = Netlink.HeaderSize + Netlink.LinkHeaderSize;
        bool isShort = utf8.Length <= NetworkInterface.MaxNameBytes + 1;
        BinaryPrimitives.WriteUInt16LittleEndian(request[end..], (ushort)(4 + utf8.Length));
        BinaryPrimitives.WriteUInt16LittleEndian(request[(end + 2)..], isShort ? Netlink.IFLA_IFNAME : Netlink.IFLA_ALT_IFNAME);
        utf8.CopyTo(request[(end + 4)..]);
        end += (4 + utf8.Length + 3) & ~3;
        Errno errno = ReadInterface(request[..(end + 8)], out found);

        // A kernel without alternative names finds neither name nor index in the request.
        return errno == Errno.EINVAL && !isShort ? Errno.ENODEV : errno;
    }

    /// <summary>Attaches an XDP program to an interface, or detaches with descriptor -1.</summary>
    /// <param name="explanation">The driver's text for an error; often empty.</param>
    public Errno SetXdp(int interfaceIndex, int program, uint flags, out string explanation)
    {
        const int AttributesSize = 4 + 8 + 8;
        Span<byte> request = stackalloc byte[Netlink.HeaderSize + Netlink.LinkHeaderSize + AttributesSize];
        request.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(request[(Netlink.HeaderSize + 4)..], interfaceIndex);
        Span<byte> attributes = request[(Netlink.HeaderSize + Netlink.LinkHeaderSize)..];
        BinaryPrimitives.WriteUInt16LittleEndian(attributes, AttributesSize);
        BinaryPrimitives.WriteUInt16LittleEndian(attributes[2..], Netlink.IFLA_XDP | Netlink.NLA_F_NESTED);
        WriteAttribute(attributes[4..], Netlink.IFLA_XDP_FD, (uint)program);
        WriteAttribute(attributes[12..], Netlink.IFLA_XDP_FLAGS, flags);
        return Change(request, Netlink.RTM_SETLINK, 0, out explanation);
    }

    /// <summary>Sends a request and waits for its acknowledgement.</summary>
    /// <param name="request">Space for the header, then the body.</param>
    /// <param name="explanation">The kernel's text for an error; often empty.</param>
    internal Errno Change(Span<byte> request, ushort type, ushort flags, out string explanation)
    {
        explanation = "";
        Errno errno = Send(request, type, (ushort)(flags | Netlink.NLM_F_ACK));
        ReadOnlySpan<byte> datagram = default;
        while (errno == Errno.None && (errno = ReceiveResponse(ref datagram, out NetlinkMessage message)) == Errno.None)
        {
            if (message.Type == Netlink.NLMSG_ERROR)
            {
                return Netlink.ReadError(message, out explanation);
            }
        }

        return errno;
    }

    internal Errno Receive(int flags, out ReadOnlySpan<byte> datagram)
    {
        fixed (byte* bytes = _buffer)
        {
            while (true)
            {
                nint length = Libc.recv(_socket.Number, bytes, (nuint)_buffer.Length, flags);
                if (length >= 0 || Libc.LastError != Errno.EINTR)
                {
                    datagram = _buffer.AsSpan(0, (int)Math.Max(0, length));
                    return length < 0 ? Libc.LastError : Errno.None;
                }
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    /// <param name="request">Its last eight bytes are free for the mask that omits statistics from the response.</param>
    private Errno ReadInterface(Span<byte> request, out NetworkInterface found)
    {
        const uint RTEXT_FILTER_SKIP_STATS = 1 << 3;
        found = default;
        WriteAttribute(request[^8..], Netlink.IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        Errno errno = Send(request, Netlink.RTM_GETLINK, 0);
        ReadOnlySpan<byte> datagram = default;
        while (errno == Errno.None && (errno = ReceiveResponse(ref datagram, out NetlinkMessage message)) == Errno.None)
        {
            if (message.Type is Netlink.NLMSG_ERROR or Netlink.RTM_NEWLINK)
            {
                return message.Type == Netlink.NLMSG_ERROR ? Netlink.ReadError(message, out _)
                    : Netlink.TryReadLink(message.Payload, out found) ? Errno.None : Errno.EIO;
            }
        }

        return errno;
    }

    private static void WriteAttribute(Span<byte> to, ushort type, uint value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(to, 8);
        BinaryPrimitives.WriteUInt16LittleEndian(to[2..], type);
        BinaryPrimitives.WriteUInt32LittleEndian(to[4..], value);
    }

    private Errno Send(Span<byte> request, ushort type, ushort flags)
    {
        BinaryPrimitives.WriteInt32LittleEndian(request, request.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(request[4..], type);
        BinaryPrimitives.WriteUInt16LittleEndian(request[6..], (ushort)(flags | Netlink.NLM_F_REQUEST));
        BinaryPrimitives.WriteUInt32LittleEndian(request[8..], ++_sequence);
        fixed (byte* bytes = request)
        {
            while (Libc.send(_socket.Number, bytes, (nuint)request.Length, 0) < 0)
            {
                if (Libc.LastError != Errno.EINTR)
                {
                    return Libc.LastError;
                }
            }
        }

        return Errno.None;
    }

    /// <summary>The next message that responds to the last request.</summary>
    /// <param name="datagram">The unread rest; another datagram is received when it is empty.</param>
    private Errno ReceiveResponse(ref ReadOnlySpan<byte> datagram, out NetlinkMessage message)
    {
        while (true)
        {
            while (Netlink.TryReadMessage(ref datagram, out message))
            {
                if (message.Sequence == _sequence)
                {
                    return Errno.None;
                }
            }

            if (Receive(0, out datagram) is var errno and not Errno.None)
            {
                return errno;
            }
        }
    }
}

/// <summary>
/// The kernel's notices of interfaces that appear, disappear or change (RTNLGRP_LINK of rtnetlink(7)), for the network namespace of the
/// thread that opens it. Needs no privilege. Not thread-safe.
/// </summary>
internal sealed class LinkNotices : IDisposable
{
    private const uint RTMGRP_LINK = 1;

    /// <summary>Datagrams per call of <see cref="Drain"/>, so that an endless flood cannot block its caller.</summary>
    private const int MaxDatagrams = 4096;

    private readonly NetlinkSocket _socket;

    private LinkNotices(NetlinkSocket socket) => _socket = socket;

    /// <summary>Readable when a notice has arrived.</summary>
    public SafeHandle Handle => _socket.Handle;

    public static Errno TryOpen(out LinkNotices? notices)
    {
        Errno errno = NetlinkSocket.TryOpen(RTMGRP_LINK, out NetlinkSocket? socket);
        notices = socket is null ? null : new LinkNotices(socket);
        return errno;
    }

    /// <summary>Reads the notices that have arrived, without waiting.</summary>
    /// <returns>
    /// Whether <paramref name="concerns"/> was true for an interface, or notices were lost (ENOBUFS: the reader was too slow) or could
    /// not be read, so that anything may have changed.
    /// </returns>
    public bool Drain(Predicate<NetworkInterface> concerns)
    {
        bool changed = false;
        for (int i = 0; i < MaxDatagrams; i++)
        {
            Errno errno = _socket.Receive(Libc.MSG_DONTWAIT, out ReadOnlySpan<byte> datagram);
            if (errno == Errno.EAGAIN)
            {
                return changed;
            }

            changed |= errno != Errno.None;
            while (!changed && Netlink.TryReadMessage(ref datagram, out NetlinkMessage message))
            {
                changed = message.Type is Netlink.RTM_NEWLINK or Netlink.RTM_DELLINK
                    && Netlink.TryReadLink(message.Payload, out NetworkInterface link) && concerns(link);
            }
        }

        return true;
    }

    public void Dispose() => _socket.Dispose();
}
