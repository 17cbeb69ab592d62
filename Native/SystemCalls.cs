using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>Numbers of system calls by name (asm/unistd.h; a test compares them).</summary>
internal static class SystemCalls
{
    /// <summary>Numbers from here are newer than this list. From 424 they are the same on both architectures.</summary>
    public const int FirstUnknown = 463;

    // -1: the architecture does not have the call.
    private static readonly (string Name, int X64, int Arm64)[] Table =
    [
        ("read", 0, 63), ("write", 1, 64), ("close", 3, 57), ("stat", 4, -1), ("fstat", 5, 80), ("lstat", 6, -1), ("poll", 7, -1),
        ("lseek", 8, 62), ("mmap", 9, 222), ("mprotect", 10, 226), ("munmap", 11, 215), ("brk", 12, 214), ("rt_sigaction", 13, 134),
        ("rt_sigprocmask", 14, 135), ("rt_sigreturn", 15, 139), ("ioctl", 16, 29), ("pread64", 17, 67), ("pwrite64", 18, 68), ("readv", 19, 65),
        ("writev", 20, 66), ("access", 21, -1), ("sched_yield", 24, 124), ("mremap", 25, 216), ("mincore", 27, 232), ("madvise", 28, 233),
        ("nanosleep", 35, 101), ("getpid", 39, 172), ("sendfile", 40, 71), ("socket", 41, 198), ("connect", 42, 203), ("accept", 43, 202),
        ("sendto", 44, 206), ("recvfrom", 45, 207), ("sendmsg", 46, 211), ("recvmsg", 47, 212), ("shutdown", 48, 210), ("bind", 49, 200),
        ("listen", 50, 201), ("getsockname", 51, 204), ("getpeername", 52, 205), ("setsockopt", 54, 208), ("getsockopt", 55, 209),
        ("clone", 56, 220), ("execve", 59, 221), ("exit", 60, 93), ("wait4", 61, 260), ("kill", 62, 129), ("uname", 63, 160), ("fcntl", 72, 25),
        ("flock", 73, 32), ("fsync", 74, 82), ("fdatasync", 75, 83), ("ftruncate", 77, 46), ("getcwd", 79, 17), ("rename", 82, -1),
        ("mkdir", 83, -1), ("rmdir", 84, -1), ("link", 86, -1), ("unlink", 87, -1), ("readlink", 89, -1), ("chmod", 90, -1), ("fchmod", 91, 52),
        ("chown", 92, -1), ("fchown", 93, 55), ("lchown", 94, -1), ("umask", 95, 166), ("gettimeofday", 96, 169), ("getrusage", 98, 165),
        ("sysinfo", 99, 179), ("times", 100, 153), ("getuid", 102, 174), ("getgid", 104, 176), ("geteuid", 107, 175), ("getegid", 108, 177),
        ("getppid", 110, 173), ("capget", 125, 90), ("capset", 126, 91), ("sigaltstack", 131, 132), ("statfs", 137, 43), ("fstatfs", 138, 44),
        ("sched_getparam", 143, 121), ("sched_getscheduler", 145, 120), ("mlock", 149, 228), ("munlock", 150, 229), ("prctl", 157, 167),
        ("arch_prctl", 158, -1), ("gettid", 186, 178), ("futex", 202, 98), ("sched_getaffinity", 204, 123), ("getdents64", 217, 61),
        ("set_tid_address", 218, 96), ("restart_syscall", 219, 128), ("fadvise64", 221, 223), ("clock_gettime", 228, 113),
        ("clock_getres", 229, 114), ("clock_nanosleep", 230, 115), ("exit_group", 231, 94), ("epoll_wait", 232, -1), ("epoll_ctl", 233, 21),
        ("tgkill", 234, 131), ("get_mempolicy", 239, 236), ("openat", 257, 56), ("mkdirat", 258, 34), ("fchownat", 260, 54),
        ("newfstatat", 262, 79), ("unlinkat", 263, 35), ("renameat", 264, 38), ("linkat", 265, 37), ("readlinkat", 267, 78),
        ("fchmodat", 268, 53), ("faccessat", 269, 48), ("ppoll", 271, 73), ("set_robust_list", 273, 99), ("utimensat", 280, 88),
        ("epoll_pwait", 281, 22), ("fallocate", 285, 47), ("accept4", 288, 242), ("eventfd2", 290, 19), ("epoll_create1", 291, 20),
        ("pipe2", 293, 59), ("preadv", 295, 69), ("pwritev", 296, 70), ("recvmmsg", 299, 243), ("prlimit64", 302, 261), ("sendmmsg", 307, 269),
        ("getcpu", 309, 168), ("renameat2", 316, 276), ("seccomp", 317, 277), ("getrandom", 318, 278), ("memfd_create", 319, 279),
        ("bpf", 321, 280), ("membarrier", 324, 283), ("copy_file_range", 326, 285), ("statx", 332, 291), ("rseq", 334, 293),
        ("clone3", 435, 435), ("faccessat2", 439, 439),
    ];

    public static IEnumerable<string> Names => Table.Select(call => call.Name);

    /// <summary>Null if the architecture does not have the call.</summary>
    /// <exception cref="ArgumentException">The name is not in the table.</exception>
    public static int? Number(string name, Architecture architecture)
    {
        (string known, int x64, int arm64) = Array.Find(Table, call => call.Name == name);
        if (known is null)
        {
            throw new ArgumentException($"no number is known for the system call \"{name}\"", nameof(name));
        }

        int number = architecture switch
        {
            Architecture.X64 => x64,
            Architecture.Arm64 => arm64,
            _ => throw new PlatformNotSupportedException($"system calls of {architecture}: unknown numbers"),
        };
        return number >= 0 ? number : null;
    }
}
