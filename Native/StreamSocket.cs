using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>
/// A connected stream socket that never blocks and never raises SIGPIPE. Calls return a count, or a negative errno. Who disposes it is
/// who reads and writes: a call does not keep the descriptor open.
/// </summary>
internal sealed unsafe partial class StreamSocket : SafeHandleMinusOneIsInvalid
{
    /// <summary>Try again when the poller says so: EAGAIN, negated.</summary>
    public const int WouldBlock = -11;

    /// <summary>EMFILE and ENFILE, negated: there are no descriptors left.</summary>
    public const int ProcessFull = -24, SystemFull = -23;

    /// <summary>ECONNABORTED and EINTR, negated: of this connection alone, the next one may be there.</summary>
    public const int Aborted = -103, Interrupted = -EINTR;

    private const int EINTR = 4;
    private const int MSG_NOSIGNAL = 0x4000;
    private const int SOCK_NONBLOCK = 0x800;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int SHUT_WR = 1;
    private static readonly nint ReceiveNumber = SystemCalls.Number("recvfrom", RuntimeInformation.ProcessArchitecture)!.Value;
    private static readonly nint SendNumber = SystemCalls.Number("sendto", RuntimeInformation.ProcessArchitecture)!.Value;
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
            nint n = syscall(ReceiveNumber, (int)handle, pointer, destination.Length, 0, 0, 0);
            while (n < 0 && (n = OrError(recv((int)handle, pointer, destination.Length, 0))) == -EINTR)
            {
            }

            return (int)n;
        }
    }

    /// <summary>Writes as much as there is room for.</summary>
    public int Send(ReadOnlySpan<byte> source)
    {
        fixed (byte* pointer = source)
        {
            nint n = syscall(SendNumber, (int)handle, pointer, source.Length, MSG_NOSIGNAL, 0, 0);
            while (n < 0 && (n = OrError(send((int)handle, pointer, source.Length, MSG_NOSIGNAL))) == -EINTR)
            {
            }

            return (int)n;
        }
    }

    /// <summary>Says that nothing more will be sent, and goes on reading.</summary>
    public void ShutdownSend() => _ = shutdown(this, SHUT_WR);

    protected override bool ReleaseHandle() => close((int)handle) == 0;

    [LibraryImport("libc", SetLastError = true)]
    private static partial int accept4(SafeHandle listener, void* address, void* length, int flags);

    // Two calls a request. They never block, so the collector can wait for them, and nothing has to be noted before and after; the C library's
    // own functions note for each whether the thread may be cancelled. As errno is lost in this way, a call that fails is made again: it did
    // nothing, and a connection that was reset is at its end the second time.
    [LibraryImport("libc")]
    [SuppressGCTransition]
    private static partial nint syscall(nint number, nint socket, byte* buffer, nint length, nint flags, nint address, nint addressLength);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recv(int socket, byte* buffer, nint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint send(int socket, byte* buffer, nint length, int flags);

    private static nint OrError(nint result) => result < 0 ? -Marshal.GetLastPInvokeError() : result;

    [LibraryImport("libc")]
    private static partial int getsockopt(SafeHandle socket, int level, int name, void* value, uint* length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int shutdown(SafeHandle socket, int how);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int descriptor);
}
