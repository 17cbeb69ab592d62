using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Couic.IntegrationTests.Harness;

/// <summary>A raw socket on one interface: whole Ethernet frames, out and in.</summary>
internal sealed class PacketSocket : IDisposable
{
    private const ushort EveryProtocolNetworkOrder = 0x0300;
    private readonly int _fd;

    /// <summary>Must be made on the namespace's own thread.</summary>
    public PacketSocket(string device)
    {
        _fd = Libc.Check(
            Libc.socket(Libc.AF_PACKET, Libc.SOCK_RAW | Libc.SOCK_CLOEXEC, EveryProtocolNetworkOrder), "open packet socket");
        Libc.Check(Libc.setsockopt(_fd, Libc.SOL_SOCKET, Libc.SO_RCVBUFFORCE, 64 << 20, sizeof(int)), "enlarge receive buffer");
        Libc.LinkAddress address = new()
        {
            Family = Libc.AF_PACKET,
            ProtocolNetworkOrder = EveryProtocolNetworkOrder,
            Index = (int)Libc.if_nametoindex(device),
        };
        Libc.Check(Libc.bind(_fd, address, 20), $"bind packet socket to {device}");
    }

    public void Send(ReadOnlySpan<byte> frame)
    {
        // ENOBUFS says that the frame was dropped on its way out, which is for the receiver to see.
        if (Libc.send(_fd, frame, frame.Length, 0) != frame.Length && Marshal.GetLastPInvokeError() != Libc.ENOBUFS)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"send frame of {frame.Length} bytes");
        }
    }

    /// <summary>Reads one frame, or returns -1 when none comes in time.</summary>
    public int Receive(Span<byte> buffer, TimeSpan patience)
    {
        Libc.PollEntry entry = new() { Fd = _fd, Events = Libc.POLLIN };
        return Libc.poll(ref entry, 1, (int)patience.TotalMilliseconds) <= 0
            ? -1
            : (int)Libc.recv(_fd, buffer, buffer.Length, Libc.MSG_DONTWAIT);
    }

    public void Dispose() => _ = Libc.close(_fd);
}
