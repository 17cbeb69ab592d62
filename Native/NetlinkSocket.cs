using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>A socket for rtnetlink requests, one at a time. Not thread-safe.</summary>
public sealed unsafe class NetlinkSocket : IDisposable
{
    private readonly FileDescriptor _socket;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private uint _sequence;

    private NetlinkSocket(FileDescriptor socket) => _socket = socket;

    /// <summary>Opens a socket in the network namespace of this thread; needs no privilege.</summary>
    public static Errno TryOpen(out NetlinkSocket? netlink)
    {
        var socket = new FileDescriptor(Libc.socket(Libc.AF_NETLINK, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, Libc.NETLINK_ROUTE));
        if (socket.IsInvalid)
        {
            netlink = null;
            return Libc.LastError;
        }

        // Texts that explain an error (Linux 4.12); without them the number has to do.
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
        WriteHeader(request, Netlink.RTM_GETLINK, Netlink.NLM_F_DUMP);
        Errno errno = Send(request);
        while (errno == Errno.None)
        {
            errno = Receive(out ReadOnlySpan<byte> datagram);
            while (errno == Errno.None && Netlink.TryReadMessage(ref datagram, out NetlinkMessage message))
            {
                if (message.Sequence != _sequence)
                {
                    continue;
                }

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
        }

        return errno;
    }

    /// <summary>The interface of that index; ENODEV when there is none.</summary>
    public Errno ReadInterface(int index, out NetworkInterface found)
    {
        Span<byte> request = stackalloc byte[Netlink.HeaderSize + Netlink.LinkHeaderSize + 8];
        request.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(request[(Netlink.HeaderSize + 4)..], index);
        return ReadInterface(request, out found);
    }

    /// <summary>The interface of that name, alternative names included (Linux 5.5); ENODEV when there is none.</summary>
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

        // A kernel that knows no alternative names finds neither name nor index in the request.
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

    /// <summary>Sends a request whose header is filled in here and waits for its acknowledgement.</summary>
    /// <param name="request">Room for the header, then the body.</param>
    /// <param name="explanation">The kernel's text for an error; often empty.</param>
    internal Errno Change(Span<byte> request, ushort type, ushort flags, out string explanation)
    {
        explanation = "";
        WriteHeader(request, type, (ushort)(flags | Netlink.NLM_F_ACK));
        Errno errno = Send(request);
        while (errno == Errno.None)
        {
            errno = Receive(out ReadOnlySpan<byte> datagram);
            while (errno == Errno.None && Netlink.TryReadMessage(ref datagram, out NetlinkMessage message))
            {
                if (message.Type == Netlink.NLMSG_ERROR && message.Sequence == _sequence)
                {
                    return Netlink.ReadError(message, out explanation);
                }
            }
        }

        return errno;
    }

    public void Dispose() => _socket.Dispose();

    /// <param name="request">With eight bytes to spare at its end, for the mask that leaves statistics out of the answer.</param>
    private Errno ReadInterface(Span<byte> request, out NetworkInterface found)
    {
        const uint RTEXT_FILTER_SKIP_STATS = 1 << 3;
        found = default;
        WriteAttribute(request[^8..], Netlink.IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        WriteHeader(request, Netlink.RTM_GETLINK, 0);
        Errno errno = Send(request);
        while (errno == Errno.None)
        {
            errno = Receive(out ReadOnlySpan<byte> datagram);
            while (errno == Errno.None && Netlink.TryReadMessage(ref datagram, out NetlinkMessage message))
            {
                if (message.Sequence == _sequence && message.Type is (Netlink.NLMSG_ERROR or Netlink.RTM_NEWLINK))
                {
                    return message.Type == Netlink.NLMSG_ERROR ? Netlink.ReadError(message, out _)
                        : Netlink.TryReadLink(message.Payload, out found) ? Errno.None : Errno.EIO;
                }
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

    private void WriteHeader(Span<byte> request, ushort type, ushort flags)
    {
        BinaryPrimitives.WriteInt32LittleEndian(request, request.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(request[4..], type);
        BinaryPrimitives.WriteUInt16LittleEndian(request[6..], (ushort)(flags | Netlink.NLM_F_REQUEST));
        BinaryPrimitives.WriteUInt32LittleEndian(request[8..], ++_sequence);
    }

    private Errno Send(ReadOnlySpan<byte> request)
    {
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

    private Errno Receive(out ReadOnlySpan<byte> datagram)
    {
        fixed (byte* bytes = _buffer)
        {
            while (true)
            {
                nint length = Libc.recv(_socket.Number, bytes, (nuint)_buffer.Length, 0);
                if (length >= 0 || Libc.LastError != Errno.EINTR)
                {
                    datagram = _buffer.AsSpan(0, (int)Math.Max(0, length));
                    return length < 0 ? Libc.LastError : Errno.None;
                }
            }
        }
    }
}

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
