using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>
/// One end of a socket with message boundaries (SOCK_SEQPACKET between daemon and attacher, SOCK_DGRAM to the service manager). A message
/// may carry descriptors (unix(7), SCM_RIGHTS). After the other end of a pair is closed, an empty message is received.
/// </summary>
internal sealed unsafe partial class MessageChannel(SafeFileHandle handle) : IDisposable
{
    /// <summary>Descriptors a message may carry: SCM_MAX_FD of linux/net/scm.h.</summary>
    public const int MaxDescriptors = 253;

    private const int AF_UNIX = 1;
    private const int SOCK_DGRAM = 2;
    private const int SOCK_SEQPACKET = 5;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int SOL_SOCKET = 1;
    private const int SO_SNDTIMEO = 21;
    private const int SCM_RIGHTS = 1;
    private const int MSG_NOSIGNAL = 0x4000;
    private const int MSG_CMSG_CLOEXEC = 0x40000000;
    private const int SHUT_WR = 1;
    private const int EINTR = 4;
    private const int ControlHeader = 16; // sizeof(struct cmsghdr) on 64-bit

    public SafeFileHandle Handle => handle;

    public static (MessageChannel Left, MessageChannel Right) Pair()
    {
        int* ends = stackalloc int[2];
        return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0
            ? (new MessageChannel(new SafeFileHandle(ends[0], true)), new MessageChannel(new SafeFileHandle(ends[1], true)))
            : throw new IOException($"create a socket pair: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    /// <summary>Sends a message. False when the other end is closed.</summary>
    public bool Send(ReadOnlySpan<byte> message, ReadOnlySpan<int> descriptors = default)
    {
        byte* control = stackalloc byte[ControlHeader + (MaxDescriptors * sizeof(int)) + 8];
        fixed (byte* bytes = message)
        {
            var part = new IoVector { Base = bytes, Length = (nuint)message.Length };
            var header = new MessageHeader { Parts = &part, PartCount = 1 };
            if (!descriptors.IsEmpty)
            {
                *(nuint*)control = (nuint)(ControlHeader + (descriptors.Length * sizeof(int)));
                ((int*)control)[2] = SOL_SOCKET;
                ((int*)control)[3] = SCM_RIGHTS;
                descriptors.CopyTo(new Span<int>(control + ControlHeader, descriptors.Length));
                header.Control = control;
                header.ControlLength = (nuint)(ControlHeader + ((descriptors.Length * sizeof(int)) + 7 & ~7));
            }

            nint sent;
            do
            {
                sent = sendmsg((int)handle.DangerousGetHandle(), &header, MSG_NOSIGNAL);
            }
            while (sent < 0 && Marshal.GetLastPInvokeError() == EINTR);
            return sent == message.Length;
        }
    }

    /// <summary>Waits for a message. Returns its length, 0 when the other end is closed.</summary>
    /// <param name="descriptors">The descriptors of the message are added; the receiver owns them. Executed programs do not inherit them.</param>
    public int Receive(Span<byte> message, List<SafeFileHandle> descriptors)
    {
        int controlSize = ControlHeader + (MaxDescriptors * sizeof(int)) + 8;
        byte* control = stackalloc byte[controlSize];
        fixed (byte* bytes = message)
        {
            var part = new IoVector { Base = bytes, Length = (nuint)message.Length };
            var header = new MessageHeader { Parts = &part, PartCount = 1, Control = control, ControlLength = (nuint)controlSize };
            nint received;
            do
            {
                received = recvmsg((int)handle.DangerousGetHandle(), &header, MSG_CMSG_CLOEXEC);
            }
            while (received < 0 && Marshal.GetLastPInvokeError() == EINTR);
            if (header.ControlLength >= ControlHeader && ((int*)control)[3] == SCM_RIGHTS)
            {
                int count = (int)(*(nuint*)control - ControlHeader) / sizeof(int);
                foreach (int descriptor in new ReadOnlySpan<int>(control + ControlHeader, count))
                {
                    descriptors.Add(new SafeFileHandle(descriptor, ownsHandle: true));
                }
            }

            return (int)Math.Max(0, received);
        }
    }

    /// <summary>Ends this direction: the other end receives the end of the stream and can still send.</summary>
    public void EndSending() => _ = shutdown((int)handle.DangerousGetHandle(), SHUT_WR);

    /// <summary>Whether a message, or the end, arrives within the limit.</summary>
    public bool WaitReadable(TimeSpan limit)
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        while (limit - System.Diagnostics.Stopwatch.GetElapsedTime(start) is { Ticks: > 0 } left)
        {
            var entry = new Libc.pollfd { fd = (int)handle.DangerousGetHandle(), events = Libc.POLLIN };
            if (Libc.poll(ref entry, 1, (int)Math.Ceiling(left.TotalMilliseconds)) > 0)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Discards messages until the other end is closed, at most for the limit.</summary>
    public void WaitForEnd(TimeSpan limit)
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        Span<byte> message = stackalloc byte[1];
        var late = new List<SafeFileHandle>();
        while (WaitReadable(limit - System.Diagnostics.Stopwatch.GetElapsedTime(start)) && Receive(message, late) > 0)
        {
        }

        late.ForEach(descriptor => descriptor.Dispose());
    }

    public void Dispose() => handle.Dispose();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socketpair(int domain, int type, int protocol, int* ends);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint sendmsg(int socket, MessageHeader* message, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recvmsg(int socket, MessageHeader* message, int flags);

    [LibraryImport("libc")]
    private static partial int shutdown(int socket, int how);

    /// <summary>struct iovec</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct IoVector
    {
        public byte* Base;
        public nuint Length;
    }

    /// <summary>struct msghdr of glibc on 64-bit</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct MessageHeader
    {
        public void* Name;
        public uint NameLength;
        public IoVector* Parts;
        public nuint PartCount;
        public byte* Control;
        public nuint ControlLength;
        public int Flags;
    }

    private const int PathOffset = 2; // of sun_path in struct sockaddr_un, after the family
    private const int MaxPath = 107; // bytes, and the NUL: unix(7)

    /// <summary>Connects to the process that listens at a path (SOCK_SEQPACKET).</summary>
    /// <exception cref="IOException">No process listens there, or this user may not connect.</exception>
    public static MessageChannel Connect(string path) => Connect(path, SOCK_SEQPACKET);

    /// <summary>Connects to a datagram socket, to send only.</summary>
    /// <param name="path">A path, or "@" and a name of the abstract namespace.</param>
    /// <param name="sendLimit">How long a message may wait for the receiver.</param>
    /// <exception cref="IOException">No process receives there, or this user may not connect.</exception>
    public static MessageChannel ConnectDatagrams(string path, TimeSpan sendLimit)
    {
        MessageChannel channel = Connect(path, SOCK_DGRAM);
        long* limit = stackalloc long[2] { (long)sendLimit.TotalSeconds, sendLimit.Milliseconds * 1000L }; // struct timeval on 64-bit
        _ = Libc.setsockopt((int)channel.Handle.DangerousGetHandle(), SOL_SOCKET, SO_SNDTIMEO, limit, 2 * sizeof(long));
        return channel;
    }

    private static MessageChannel Connect(string path, int type)
    {
        byte* address = stackalloc byte[PathOffset + MaxPath + 1];
        *(ushort*)address = AF_UNIX;
        if (!Encoding.UTF8.TryGetBytes(path, new Span<byte>(address + PathOffset, MaxPath), out int length))
        {
            throw new IOException($"connect to \"{path}\": the path is too long (at most {MaxPath} bytes)");
        }

        bool isAbstract = length > 0 && address[PathOffset] == '@';
        address[PathOffset + (isAbstract ? 0 : length)] = 0;
        var handle = new SafeFileHandle(Libc.socket(AF_UNIX, type | SOCK_CLOEXEC, 0), ownsHandle: true);
        if (handle.IsInvalid)
        {
            throw new IOException($"create a socket: {Marshal.GetLastPInvokeErrorMessage()}");
        }

        while (connect((int)handle.DangerousGetHandle(), address, (uint)(PathOffset + length + (isAbstract ? 0 : 1))) != 0)
        {
            if (Marshal.GetLastPInvokeError() != EINTR)
            {
                string cause = Marshal.GetLastPInvokeErrorMessage();
                handle.Dispose();
                throw new IOException($"connect to \"{path}\": {cause}");
            }
        }

        return new MessageChannel(handle);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int connect(int socket, byte* address, uint length);
}
