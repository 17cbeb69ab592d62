using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.InteropServices;
using System.Text;

namespace Couic.IntegrationTests.Harness;

/// <summary>A tun device: packets without an Ethernet header come in by a write. It is gone when disposed.</summary>
internal sealed class TunDevice : IDisposable
{
    private const int ReadWrite = 2;
    private const nuint TUNSETIFF = 0x400454ca;
    private const ushort IFF_TUN = 1;
    private const ushort IFF_NO_PI = 0x1000;
    private readonly int _fd;

    public TunDevice(NetSpace space, string name, string address)
    {
        _fd = space.Do(() => Open(name));
        Shell.Check(space, "ip", "address", "add", address, "dev", name);
        Shell.Check(space, "ip", "link", "set", name, "up");
    }

    public void Write(byte[] packet)
    {
        if (Libc.write(_fd, packet, packet.Length) != packet.Length)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError(), $"write packet of {packet.Length} bytes");
        }
    }

    public void Dispose() => _ = Libc.close(_fd);

    private static int Open(string name)
    {
        int fd = Libc.Check(Libc.open("/dev/net/tun", ReadWrite), "open /dev/net/tun");
        byte[] request = new byte[40]; // struct ifreq: name, flags
        Encoding.ASCII.GetBytes(name, request);
        BinaryPrimitives.WriteUInt16LittleEndian(request.AsSpan(16), IFF_TUN | IFF_NO_PI);
        Libc.Check(Libc.ioctl(fd, TUNSETIFF, request), $"make tun device {name}");
        return fd;
    }
}
