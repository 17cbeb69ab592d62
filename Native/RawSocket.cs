using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>A packet(7) socket on one interface: whole Ethernet frames, out and in. What XDP drops never reaches it.</summary>
internal sealed partial class RawSocket : IDisposable
{
    private const int AF_PACKET = 17;
    private const int SOCK_RAW = 3;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int MSG_DONTWAIT = 0x40;
    private const int EINTR = 4;
    private const int EAGAIN = 11;
    private const short POLLIN = 1;

    /// <summary>ETH_P_ALL in network byte order.</summary>
    private const ushort EveryProtocol = 0x0300;

    private readonly SafeFileHandle _handle;

    /// <summary>Opens the socket in the namespace of the calling thread.</summary>
    /// <exception cref="IOException">No such interface, or CAP_NET_RAW is missing.</exception>
    public unsafe RawSocket(string device)
    {
        int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, EveryProtocol);
        if (fd < 0)
        {
            throw Failure("open packet socket");
        }

        _handle = new SafeFileHandle(fd, ownsHandle: true);
        uint index = if_nametoindex(device);
        var address = new LinkAddress { Family = AF_PACKET, Protocol = EveryProtocol, Index = (int)index };
        if (index == 0 || bind(_handle, &address, (uint)sizeof(LinkAddress)) < 0)
        {
            IOException failure = Failure($"bind packet socket to \"{device}\"");
            _handle.Dispose();
            throw failure;
        }
    }

    /// <exception cref="IOException">The interface is down or gone.</exception>
    public unsafe void Send(ReadOnlySpan<byte> frame)
    {
        fixed (byte* pointer = frame)
        {
            while (send(_handle, pointer, (nuint)frame.Length, 0) < 0)
            {
                if (Marshal.GetLastPInvokeError() != EINTR)
                {
                    throw Failure($"send frame of {frame.Length} bytes");
                }
            }
        }
    }

    /// <summary>Waits for a frame and reads it, cut to the buffer. False when none came in time.</summary>
    public unsafe bool TryReceive(Span<byte> buffer, TimeSpan patience, out int length)
    {
        var wanted = new PollEntry { Fd = (int)_handle.DangerousGetHandle(), Events = POLLIN };
        _ = poll(&wanted, 1, (int)patience.TotalMilliseconds);
        fixed (byte* pointer = buffer)
        {
            length = (int)recv(_handle, pointer, (nuint)buffer.Length, MSG_DONTWAIT);
        }

        if (length < 0 && Marshal.GetLastPInvokeError() is not (EAGAIN or EINTR))
        {
            throw Failure("receive frame");
        }

        return length >= 0;
    }

    public void Dispose() => _handle.Dispose();

    private static IOException Failure(string action) =>
        new($"{action}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial uint if_nametoindex(string name);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int bind(SafeFileHandle socket, LinkAddress* address, uint length);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint send(SafeFileHandle socket, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint recv(SafeFileHandle socket, byte* buffer, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int poll(PollEntry* entries, nuint count, int milliseconds);

    /// <summary>struct sockaddr_ll.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct LinkAddress
    {
        public ushort Family;
        public ushort Protocol;
        public int Index;
        public ushort HardwareType;
        public byte PacketType;
        public byte HardwareLength;
        public ulong Hardware;
    }

    /// <summary>struct pollfd.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry
    {
        public int Fd;
        public short Events;
        public short Returned;
    }
}
