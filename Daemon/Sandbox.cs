using System.Runtime.InteropServices;
using Couic.Native;
using static Couic.Native.SeccompRule;

namespace Couic.Daemon;

/// <summary>
/// The system calls that the two processes may use after their start; the kernel enforces it for every thread. Another call fails with
/// EPERM and a line in the kernel's log; it does not end the process, because that would end the packet filter. The units have the same
/// lists (a test compares them).
/// </summary>
internal static class Sandbox
{
    /// <summary>
    /// Calls that the units allow in addition, because their filter applies from the beginning: executing itself, the shell of a reload,
    /// dropping capabilities, and installing the filter.
    /// </summary>
    public static readonly string[] Start = Words("execve wait4 arch_prctl capget capset memfd_create seccomp chown");

    /// <summary>Calls of the runtime and the C library: memory, threads, clocks, reading files, and descriptors.</summary>
    private static readonly string[] Common = Words("""
        read write readv writev pread64 pwrite64 openat close fcntl fstat newfstatat statx stat lstat lseek access faccessat faccessat2
        readlink readlinkat getdents64 statfs fstatfs getcwd
        munmap mremap madvise brk mlock munlock mincore membarrier get_mempolicy
        futex set_robust_list set_tid_address rseq clone3 exit exit_group gettid getpid getppid
        rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall
        sched_yield sched_getaffinity sched_getscheduler sched_getparam getcpu
        clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday getrandom getrusage prlimit64 sysinfo uname times
        getuid geteuid getgid getegid poll ppoll epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2 pipe2
        getsockname getpeername getsockopt setsockopt sendto recvfrom sendmsg recvmsg
        """);

    /// <summary>Additional calls of the daemon: connections, and writing files.</summary>
    private static readonly string[] Serving = Words("""
        accept accept4 bind connect listen shutdown sendmmsg recvmmsg preadv pwritev
        mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat chmod fchmod fchmodat fchown fchownat lchown
        ftruncate fallocate fsync fdatasync flock utimensat copy_file_range sendfile fadvise64 umask
        """);

    private const uint AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, AF_NETLINK = 16;
    private const uint CLONE_THREAD = 0x0001_0000;
    private const uint PROT_EXEC = 4;
    private const uint PR_SET_NAME = 15, PR_SET_VMA = 0x5356_4d41;
    private const uint TCGETS = 0x5401, TIOCGWINSZ = 0x5413, FIONREAD = 0x541b, FIONBIO = 0x5421, SIOCGIFNAME = 0x8910, SIOCGIFINDEX = 0x8933;

    // Commands of bpf(2). The daemon may not create maps or load programs.
    private const uint MapLookup = 1, MapUpdate = 2, MapDelete = 3, MapNextKey = 4, ProgramById = 13, ObjectInfo = 15;
    private const uint MapLookupBatch = 24, MapUpdateBatch = 26, MapDeleteBatch = 27, LinkCreate = 28, LinkUpdate = 29, LinkDetach = 34, Pin = 6;

    /// <summary>The daemon: no other program, no other process, no executable memory, no packet socket, no new map or program.</summary>
    public static SeccompRule[] Daemon(int ownPid) =>
    [
        OneOf("bpf", 0, MapLookup, MapUpdate, MapDelete, MapNextKey, ObjectInfo, MapLookupBatch, MapUpdateBatch, MapDeleteBatch),
        .. Both(ownPid),
        OneOf("socket", 0, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK),
        .. Serving.Select(Always),
    ];

    /// <summary>The attacher: its channel, netlink, and the commands of bpf(2) that query and attach.</summary>
    public static SeccompRule[] Attacher(int ownPid) =>
    [
        OneOf("bpf", 0, LinkCreate, LinkUpdate, LinkDetach, ProgramById, ObjectInfo),
        .. Both(ownPid),
        OneOf("socket", 0, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK),
        .. Words("bind").Select(Always),
    ];

    /// <summary>The attacher that pins links, too.</summary>
    public static SeccompRule[] PinningAttacher(int ownPid) =>
    [
        OneOf("bpf", 0, LinkCreate, LinkUpdate, LinkDetach, ProgramById, ObjectInfo, Pin),
        .. Attacher(ownPid).Where(rule => rule.Call != "bpf"),
        Always("unlinkat"),
    ];

    /// <summary>Applies the rules permanently to every thread of this process.</summary>
    /// <returns>None, or why the kernel rejected them; then no rule applies.</returns>
    public static Errno Enter(Func<int, SeccompRule[]> rules)
    {
        Architecture architecture = RuntimeInformation.ProcessArchitecture;

        // A filter cannot read the flags of clone3(2), which are in memory, but those of clone(2), the C library's fallback. The C library
        // tries clone3 for each thread, so this separate filter does not log.
        Errno error = SeccompFilter.Install(SeccompFilter.BuildAbsent("clone3", architecture), log: false);
        return error == Errno.None
            ? SeccompFilter.Install(SeccompFilter.Build(rules(Environment.ProcessId), architecture), log: true)
            : error;
    }

    private static IEnumerable<SeccompRule> Both(int ownPid) =>
    [
        .. Common.Select(Always),
        Without("mmap", 2, PROT_EXEC),
        Without("mprotect", 2, PROT_EXEC),
        With("clone", 0, CLONE_THREAD),
        OneOf("kill", 0, (uint)ownPid),
        OneOf("tgkill", 0, (uint)ownPid),
        OneOf("prctl", 0, PR_SET_NAME, PR_SET_VMA),
        OneOf("ioctl", 1, TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, SIOCGIFNAME, SIOCGIFINDEX),
    ];

    private static string[] Words(string text) => text.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
}
