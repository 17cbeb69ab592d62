using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Couic.IntegrationTests.Harness;

/// <summary>The few system calls that the framework does not offer.</summary>
internal static partial class Libc
{
    public const int CLONE_NEWNET = 0x40000000;
    public const int AF_PACKET = 17;
    public const int SOCK_RAW = 3;
    public const int SOCK_CLOEXEC = 0x80000;
    public const int SOL_SOCKET = 1;
    public const int SO_RCVBUFFORCE = 33;
    public const int MSG_DONTWAIT = 0x40;
    public const int SIGHUP = 1;
    public const int SIGINT = 2;
    public const int SIGQUIT = 3;
    public const int SIGKILL = 9;
    public const int SIGTERM = 15;
    public const int SIGCONT = 18;
    public const int EBUSY = 16;
    public const int ENOBUFS = 105;
    public const short POLLIN = 1;
    public const int F_DUPFD_CLOEXEC = 1030;

    [LibraryImport("libc", SetLastError = true)]
    public static partial int unshare(int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int close(int fd);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int fcntl(int fd, int command, int argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recvmsg(int fd, ref MessageHeader message, int flags);

    /// <summary>Receives a message and at most one descriptor, -1 without one. Returns its length; 0 at the end.</summary>
    public static unsafe int Receive(int socket, byte[] message, out int descriptor)
    {
        const int CloseOnExec = 0x40000000, ControlHeader = 16;
        byte* control = stackalloc byte[ControlHeader + 8];
        fixed (byte* bytes = message)
        {
            nint* part = stackalloc nint[2] { (nint)bytes, message.Length };
            var header = new MessageHeader { Parts = (nint)part, PartCount = 1, Control = (nint)control, ControlLength = ControlHeader + 8 };
            int length = (int)recvmsg(socket, ref header, CloseOnExec);
            descriptor = length > 0 && header.ControlLength > ControlHeader ? *(int*)(control + ControlHeader) : -1;
            return length;
        }
    }

    /// <summary>struct msghdr of glibc on 64-bit</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct MessageHeader
    {
        public nint Name;
        public uint NameLength;
        public nint Parts;
        public nint PartCount;
        public nint Control;
        public nint ControlLength;
        public int Flags;
    }

    [LibraryImport("libc", SetLastError = true)]
    public static partial int kill(int pid, int signal);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint ptrace(nint request, int pid, nint address, nint data);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int sched_getcpu();

    [LibraryImport("libc", SetLastError = true)]
    public static partial int sched_getaffinity(int thread, nuint size, out ulong mask);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int sched_setaffinity(int thread, nuint size, in ulong mask);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int chown(string path, uint owner, uint group);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial uint if_nametoindex(string name);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int socket(int family, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int bind(int fd, in LinkAddress address, int length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int setsockopt(int fd, int level, int name, in int value, int length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint send(int fd, ReadOnlySpan<byte> buffer, nint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint recv(int fd, Span<byte> buffer, nint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint write(int fd, ReadOnlySpan<byte> buffer, nint length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial nint read(int fd, Span<byte> buffer, nint length);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int ioctl(int fd, nuint request, ReadOnlySpan<byte> argument);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int poll(ref PollEntry entry, nuint count, int timeoutMs);

    /// <summary>struct sockaddr_ll; the last eight bytes, the hardware address, are not needed to bind.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct LinkAddress
    {
        public ushort Family;
        public ushort ProtocolNetworkOrder;
        public int Index;
        public ushort HardwareType;
        public byte PacketType;
        public byte HardwareLength;
        public ulong Hardware;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct PollEntry
    {
        public int Fd;
        public short Events;
        public short Returned;
    }

    /// <summary>x86-64 and aarch64 number bpf(2) differently.</summary>
    private static nint NumberOfBpf => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 280 : 321;

    public static nint bpf(int command, byte[] attributes) => syscall(NumberOfBpf, command, attributes, attributes.Length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint syscall(nint number, nint command, byte[] attributes, nint size);

    public static int Check(int result, string action) =>
        result >= 0 ? result : throw new Win32Exception(Marshal.GetLastPInvokeError(), action);
}
