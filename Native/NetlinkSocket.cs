using System.Buffers.Binary;

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
