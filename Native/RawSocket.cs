namespace Couic.Native;

/// <summary>A packet(7) socket on one interface: sends and receives whole Ethernet frames. Frames that XDP drops do not reach it.</summary>
internal sealed unsafe class RawSocket : IDisposable
{
    /// <summary>ETH_P_ALL in network byte order.</summary>
    private const ushort EveryProtocol = 0x0300;

    private readonly FileDescriptor _socket;

    /// <summary>Opens the socket in the namespace of the calling thread.</summary>
    /// <exception cref="IOException">The interface does not exist, or CAP_NET_RAW is missing.</exception>
    public RawSocket(string device)
    {
        _socket = new FileDescriptor(Libc.socket(Libc.AF_PACKET, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, EveryProtocol));
        if (_socket.IsInvalid)
        {
            throw new IOException($"open packet socket: {Libc.LastError.Text()}");
        }

        uint index = Libc.if_nametoindex(device);
        var address = new Libc.sockaddr_ll { sll_family = Libc.AF_PACKET, sll_protocol = EveryProtocol, sll_ifindex = (int)index };
        if (index == 0 || Libc.bind(_socket.Number, address, (uint)sizeof(Libc.sockaddr_ll)) < 0)
        {
            Errno errno = Libc.LastError;
            _socket.Dispose();
            throw new IOException($"bind packet socket to \"{device}\": {errno.Text()}");
        }
    }

    /// <exception cref="IOException">The interface is down or gone.</exception>
    public void Send(ReadOnlySpan<byte> frame)
    {
        fixed (byte* bytes = frame)
        {
            while (Libc.send(_socket.Number, bytes, (nuint)frame.Length, 0) < 0)
            {
                if (Libc.LastError != Errno.EINTR)
                {
                    throw new IOException($"send frame of {frame.Length} bytes: {Libc.LastError.Text()}");
                }
            }
        }
    }

    /// <summary>Waits for a frame and reads it, cut to the buffer. False after a timeout.</summary>
    /// <exception cref="IOException">The interface is down or gone.</exception>
    public bool TryReceive(Span<byte> buffer, TimeSpan patience, out int length)
    {
        var wanted = new Libc.pollfd { fd = _socket.Number, events = Libc.POLLIN };
        _ = Libc.poll(ref wanted, 1, (int)patience.TotalMilliseconds);
        fixed (byte* bytes = buffer)
        {
            length = (int)Libc.recv(_socket.Number, bytes, (nuint)buffer.Length, Libc.MSG_DONTWAIT);
        }

        return length >= 0 || Libc.LastError is Errno.EAGAIN or Errno.EINTR
            ? length >= 0
            : throw new IOException($"receive frame: {Libc.LastError.Text()}");
    }

    public void Dispose() => _socket.Dispose();
}
