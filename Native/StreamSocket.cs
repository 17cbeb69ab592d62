using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>
/// A connected stream socket that never blocks and never raises SIGPIPE. Calls return a count, or a negative errno.
/// </summary>
internal sealed unsafe partial class StreamSocket : SafeHandleMinusOneIsInvalid
{
    /// <summary>Try again when the poller says so: EAGAIN, negated.</summary>
    public const int WouldBlock = -11;

    /// <summary>EMFILE and ENFILE, negated: there are no descriptors left.</summary>
    public const int ProcessFull = -24, SystemFull = -23;

    private const int EINTR = 4;
    private const int MSG_NOSIGNAL = 0x4000;
    private const int SOCK_NONBLOCK = 0x800;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int SHUT_WR = 1;
    private const int SOL_SOCKET = 1;
    private const int SO_PEERCRED = 17;

    private StreamSocket(int descriptor)
        : base(ownsHandle: true) => SetHandle(descriptor);

    /// <summary>Takes one waiting connection.</summary>
    /// <returns>0, or a negative errno and no socket.</returns>
    public static int Accept(SafeHandle listener, out StreamSocket? accepted)
    {
        int descriptor = accept4(listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
        accepted = descriptor < 0 ? null : new StreamSocket(descriptor);
        return descriptor < 0 ? -Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>The process that connected, by the number it has where we are; 0 where that cannot be told.</summary>
    public int PeerProcess()
    {
        int* credentials = stackalloc int[3]; // struct ucred: process, user, group
        uint length = 3 * sizeof(int);
        return getsockopt(this, SOL_SOCKET, SO_PEERCRED, credentials, &length) == 0 ? credentials[0] : 0;
    }

    /// <summary>Reads what is there; 0 at the end of the stream.</summary>
    public int Receive(Span<byte> destination)
    {
        fixed (byte* pointer = destination)
        {
            while (true)
            {
                int n = (int)recv(this, pointer, destination.Length, 0);
                if (n >= 0)
                {
                    return n;
                }

                int errno = Marshal.GetLastPInvokeError();
                if (errno != EINTR)
                {
                    return -errno;
                }
            }
        }
    }

    /// <summary>Writes as much as there is room for.</summary>
    public int Send(ReadOnlySpan<byte> source)
    {
        fixed (byte* pointer = source)
        {
            while (true)
            {
                int n = (int)send(this, pointer, source.Length, MSG_NOSIGNAL);
                if (n >= 0)
                {
                    return n;
                }

                int errno = Marshal.GetLastPInvokeError();
                if (errno != EINTR)
                {
                    return -errno;
                }
            }
        }
    }

    /// <summary>Says that nothing more will be sent, and goes on reading.</summary>
    public void ShutdownSend() => _ = shutdown(this, SHUT_WR);

    protected override bool ReleaseHandle() => close((int)handle) == 0;

    [LibraryImport("libc", SetLastError = true)]
    private static partial int accept4(SafeHandle listener, void* address, void* length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recv(SafeHandle socket, byte* buffer, nint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint send(SafeHandle socket, byte* buffer, nint length, int flags);

    [LibraryImport("libc")]
    private static partial int getsockopt(SafeHandle socket, int level, int name, void* value, uint* length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int shutdown(SafeHandle socket, int how);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int descriptor);
}
