using System.Net;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>
/// A connected stream socket that never blocks and never raises SIGPIPE. Calls return a count, or a negative errno. One thread at a time
/// may use and dispose it: a call does not keep the descriptor open.
/// </summary>
internal sealed unsafe partial class StreamSocket : SafeHandleMinusOneIsInvalid
{
    /// <summary>EAGAIN, negated: retry after the poller's next event.</summary>
    public const int WouldBlock = -11;

    /// <summary>EMFILE and ENFILE, negated: out of descriptors.</summary>
    public const int ProcessFull = -24, SystemFull = -23;

    /// <summary>ECONNABORTED and EINTR, negated: they concern one connection, and the next accept may succeed.</summary>
    public const int Aborted = -103, Interrupted = -EINTR;

    private const int EINTR = 4;
    private const int MSG_NOSIGNAL = 0x4000;
    private const int MSG_PEEK = 2;
    private const int SOCK_NONBLOCK = 0x800;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int SHUT_WR = 1;
    private const int AF_INET = 2;
    private const int AF_INET6 = 10;
    private const int AddressBytes = 28; // sizeof(struct sockaddr_in6)
    private static readonly nint ReceiveNumber = SystemCalls.Number("recvfrom", RuntimeInformation.ProcessArchitecture)!.Value;
    private static readonly nint SendNumber = SystemCalls.Number("sendto", RuntimeInformation.ProcessArchitecture)!.Value;
    private const int SOL_SOCKET = 1;
    private const int IPPROTO_TCP = 6;
    private const int TCP_QUICKACK = 12;
    private const int SO_PEERCRED = 17;

    private StreamSocket(int descriptor)
        : base(ownsHandle: true) => SetHandle(descriptor);

    /// <summary>The address of the client; null on a Unix socket. An IPv4 address in its own family.</summary>
    public IPAddress? PeerAddress { get; private init; }

    /// <returns>0, or a negative errno and no socket.</returns>
    public static int Accept(SafeHandle listener, out StreamSocket? accepted)
    {
        byte* address = stackalloc byte[AddressBytes];
        uint length = AddressBytes;
        int descriptor = accept4(listener, address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        accepted = descriptor < 0 ? null : new StreamSocket(descriptor) { PeerAddress = ReadAddress(new ReadOnlySpan<byte>(address, (int)Math.Min(length, AddressBytes))) };
        return descriptor < 0 ? -Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>struct sockaddr_in or sockaddr_in6: family, port, and from byte 4 or 8 on the address; the scope follows the latter.</summary>
    private static IPAddress? ReadAddress(ReadOnlySpan<byte> address) => address.Length < sizeof(ushort) ? null : MemoryMarshal.Read<ushort>(address) switch
    {
        AF_INET => new IPAddress(address.Slice(4, 4)),
        AF_INET6 when new IPAddress(address.Slice(8, 16), MemoryMarshal.Read<uint>(address[24..])) is var peer => peer.IsIPv4MappedToIPv6 ? peer.MapToIPv4() : peer,
        _ => null,
    };

    /// <summary>The id of the client's process in our PID namespace; 0 if unknown.</summary>
    public int PeerProcess()
    {
        int* credentials = stackalloc int[3]; // struct ucred: process, user, group
        uint length = 3 * sizeof(int);
        return getsockopt(this, SOL_SOCKET, SO_PEERCRED, credentials, &length) == 0 ? credentials[0] : 0;
    }

    /// <summary>What is spoken over the connection; null: plain HTTP.</summary>
    public TlsSession? Tls { get; set; }

    /// <summary>Whether the end of the stream came with the last bytes, so that the poller will not report it.</summary>
    public bool HasEnded => Tls is { HasEnded: true };

    /// <summary>Reads the available bytes; 0 at the end of the stream.</summary>
    public int Receive(Span<byte> destination) => Tls is { } session ? session.Receive(this, destination) : ReceiveRaw(destination);

    /// <summary>Writes as much as the socket's buffer takes.</summary>
    public int Send(ReadOnlySpan<byte> source) => Tls is { } session ? session.Send(this, source) : SendRaw(source);

    /// <summary>Copies the first bytes that have come, and leaves them to be received.</summary>
    public int Peek(Span<byte> destination)
    {
        fixed (byte* pointer = destination)
        {
            nint n;
            while ((n = OrError(Libc.recv((int)handle, pointer, (nuint)destination.Length, MSG_PEEK))) == -EINTR)
            {
            }

            return (int)n;
        }
    }

    /// <summary>Below TLS.</summary>
    public int ReceiveRaw(Span<byte> destination)
    {
        fixed (byte* pointer = destination)
        {
            nint n = syscall(ReceiveNumber, (int)handle, pointer, destination.Length, 0, 0, 0);
            while (n < 0 && (n = OrError(Libc.recv((int)handle, pointer, (nuint)destination.Length, 0))) == -EINTR)
            {
            }

            return (int)n;
        }
    }

    /// <summary>Below TLS.</summary>
    public int SendRaw(ReadOnlySpan<byte> source)
    {
        fixed (byte* pointer = source)
        {
            nint n = syscall(SendNumber, (int)handle, pointer, source.Length, MSG_NOSIGNAL, 0, 0);
            while (n < 0 && (n = OrError(Libc.send((int)handle, pointer, (nuint)source.Length, MSG_NOSIGNAL))) == -EINTR)
            {
            }

            return (int)n;
        }
    }

    /// <summary>Acknowledges what has come, at once: a client with Nagle's algorithm sends no more before, and the kernel may take 40 ms (tcp(7)).</summary>
    public void Acknowledge()
    {
        int yes = 1;
        _ = Libc.setsockopt((int)handle, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof(int));
    }

    /// <summary>Ends sending; receiving continues.</summary>
    public void ShutdownSend()
    {
        Tls?.EndSending(this);
        _ = shutdown(this, SHUT_WR);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing && Tls is { IsClosed: false } session)
        {
            session.EndSending(this);
            session.Dispose();
        }

        base.Dispose(disposing);
    }

    protected override bool ReleaseHandle() => Libc.close((int)handle) == 0;

    [LibraryImport("libc", SetLastError = true)]
    private static partial int accept4(SafeHandle listener, byte* address, uint* length, int flags);

    // Two calls per request. They never block, so the garbage collector can wait for them and no transition is needed; raw calls also avoid
    // the C library's cancellation points. This loses errno, so a failed call is repeated in the usual way: it had no effect, and a
    // connection that was reset then reads as ended.
    [LibraryImport("libc")]
    [SuppressGCTransition]
    private static partial nint syscall(nint number, nint socket, byte* buffer, nint length, nint flags, nint address, nint addressLength);

    private static nint OrError(nint result) => result < 0 ? -Marshal.GetLastPInvokeError() : result;

    [LibraryImport("libc")]
    private static partial int getsockopt(SafeHandle socket, int level, int name, void* value, uint* length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int shutdown(SafeHandle socket, int how);
}
