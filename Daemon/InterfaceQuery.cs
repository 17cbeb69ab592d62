using Couic.Native;

namespace Couic.Daemon;

/// <summary>Asks the kernel for single interfaces, with a socket that is replaced after an error. Not thread-safe.</summary>
internal sealed class InterfaceQuery : IDisposable
{
    private NetlinkSocket? _socket;

    /// <summary>Whether one of these programs is among those that the interface carries.</summary>
    public static bool Carries(in NetworkInterface found, ReadOnlySpan<uint> programs)
    {
        foreach (uint program in programs)
        {
            if (found.Carries(program))
            {
                return true;
            }
        }

        return false;
    }

    public Errno Find(string name, out NetworkInterface found)
    {
        Errno errno = Open(out found);
        return errno == Errno.None ? Checked(_socket!.ReadInterface(name, out found)) : errno;
    }

    public Errno Find(int index, out NetworkInterface found)
    {
        Errno errno = Open(out found);
        return errno == Errno.None ? Checked(_socket!.ReadInterface(index, out found)) : errno;
    }

    public void Dispose()
    {
        _socket?.Dispose();
        _socket = null;
    }

    private Errno Open(out NetworkInterface none)
    {
        none = default;
        return _socket is null ? NetlinkSocket.TryOpen(out _socket) : Errno.None;
    }

    private Errno Checked(Errno errno)
    {
        if (errno is not (Errno.None or Errno.ENODEV))
        {
            Dispose();
        }

        return errno;
    }
}
