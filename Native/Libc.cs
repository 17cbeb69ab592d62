using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>The C library's functions that several classes use, by their native names.</summary>
internal static unsafe partial class Libc
{
    public const int F_SETFD = 2;
    public const int F_DUPFD_CLOEXEC = 1030;
    public const int FD_CLOEXEC = 1;
    public const int PROT_READ = 1;
    public const int PROT_WRITE = 2;
    public const int MAP_SHARED = 1;
    public const int MAP_PRIVATE = 2;
    public const int MAP_FIXED = 0x10;
    public const int MAP_ANONYMOUS = 0x20;
    public const int MAP_NORESERVE = 0x4000;
    public const int RLIMIT_MEMLOCK = 8;
    public const int AF_NETLINK = 16;
    public const int AF_PACKET = 17;
    public const int MSG_DONTWAIT = 0x40;
    public const short POLLIN = 1;
    public const int CLONE_NEWNET = 0x40000000;
    public const int SOCK_RAW = 3;
    public const int SOCK_CLOEXEC = 0x80000;
    public const int NETLINK_ROUTE = 0;
    public const int SOL_NETLINK = 270;
    public const int NETLINK_EXT_ACK = 11;

    private const string Name = "libc";

    /// <summary>The error of this thread's last call; valid only after a failure.</summary>
    public static Errno LastError => (Errno)Marshal.GetLastPInvokeError();

    [LibraryImport(Name)]
    public static partial int close(int fd);

    [LibraryImport(Name)]
    public static partial int malloc_trim(nuint kept);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int fcntl(int fd, int cmd, int arg);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint mmap(nint addr, nuint length, int prot, int flags, int fd, long offset);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int munmap(nint addr, nuint length);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int setrlimit(int resource, in rlimit limit);

    [LibraryImport("libc", SetLastError = true)]
    public static partial int getrlimit(int resource, out rlimit limit);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint syscall(nint number, nint a, nint b, nint c);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int socket(int domain, int type, int protocol);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int setsockopt(int fd, int level, int name, void* value, uint length);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint send(int fd, void* buffer, nuint length, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial nint recv(int fd, void* buffer, nuint length, int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int bind(int fd, in sockaddr_ll address, uint length);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int bind(int fd, in sockaddr_nl address, uint length);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int poll(ref pollfd entries, nuint count, int milliseconds);

    [LibraryImport(Name, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial uint if_nametoindex(string name);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int unshare(int flags);

    [LibraryImport(Name, SetLastError = true)]
    public static partial int kill(int process, int signal);

    [LibraryImport(Name)]
    public static partial nint signal(int number, nint handler);

#pragma warning disable CS8981 // the kernel's spelling
    [StructLayout(LayoutKind.Sequential)]
    public struct rlimit
    {
        public ulong rlim_cur;
        public ulong rlim_max;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct pollfd
    {
        public int fd;
        public short events;
        public short revents;
    }

    /// <summary>An address of netlink(7).</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct sockaddr_nl
    {
        public ushort nl_family;
        public ushort nl_pad;
        public uint nl_pid;
        public uint nl_groups;
    }
#pragma warning restore CS8981

    /// <summary>A link-layer address, packet(7); the protocol is in network byte order.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct sockaddr_ll
    {
        public ushort sll_family;
        public ushort sll_protocol;
        public int sll_ifindex;
        public ushort sll_hatype;
        public byte sll_pkttype;
        public byte sll_halen;
        public ulong sll_addr;
    }
}
