using System.Runtime.InteropServices;
using Couic.Daemon;
using Couic.Native;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Native;

public class SeccompFilterTests
{
    // linux/unistd.h of arm64 is the generic one with these.
    private static readonly string[] GenericHeaders =
    [
        "#define __ARCH_WANT_RENAMEAT", "#define __ARCH_WANT_NEW_STAT", "#define __ARCH_WANT_SET_GET_RLIMIT",
        "#define __ARCH_WANT_SYS_CLONE3", "#define __BITS_PER_LONG 64", "<asm-generic/unistd.h>",
    ];

    // Installs the programs for itself, one after the other, and writes "CALL ERRNO" for each attempt, 0 where it worked.
    private const string Attempts = """
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <linux/bpf.h>
        #include <linux/filter.h>
        #include <linux/seccomp.h>
        #include <sched.h>
        #include <signal.h>
        #include <stdio.h>
        #include <sys/ioctl.h>
        #include <sys/mman.h>
        #include <sys/prctl.h>
        #include <sys/ptrace.h>
        #include <sys/socket.h>
        #include <sys/syscall.h>
        #include <unistd.h>
        #define TRY(name, call) do { errno = 0; long r = (long)(call); printf("%s %d\n", name, r == -1 ? errno : 0); } while (0)

        int main(int argc, char **argv)
        {
            static struct sock_filter code[4096];
            struct sock_fprog programs[2];
            unsigned used = 0;
            for (int i = 1; i < argc; i++) {
                FILE *file = fopen(argv[i], "r");
                programs[i - 1].filter = code + used;
                used += programs[i - 1].len = fread(code + used, sizeof code[0], 4096 - used, file);
                fclose(file);
            }

            union bpf_attr make = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
            union bpf_attr look = {.map_fd = 1000};
            long inherited = SIGCHLD;
            if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
                return 1;
            for (int i = 1; i < argc; i++)
                if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &programs[i - 1]))
                    return 1;
            TRY("getpid", syscall(SYS_getpid));
            TRY("socket-inet", socket(AF_INET, SOCK_STREAM, 0));
            TRY("mmap", mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
            TRY("bpf-lookup", syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &look, sizeof look));
            TRY("thread-name", prctl(PR_SET_NAME, "other", 0, 0, 0));
            TRY("execve", execve("/bin/true", argv, 0));
            TRY("ptrace", ptrace(PTRACE_TRACEME, 0, 0, 0));
            TRY("mount", syscall(SYS_mount, 0, 0, 0, 0, 0));
            TRY("unshare", unshare(CLONE_NEWUSER));
            TRY("setns", syscall(SYS_setns, 0, 0));
            TRY("fork", syscall(SYS_clone, inherited, 0, 0, 0, 0));
            TRY("user-namespace", syscall(SYS_clone, inherited | CLONE_NEWUSER, 0, 0, 0, 0));
            TRY("socket-packet", socket(AF_PACKET, SOCK_RAW, 0));
            TRY("socket-vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
            TRY("bpf-make", syscall(SYS_bpf, BPF_MAP_CREATE, &make, sizeof make));
            TRY("bpf-load", syscall(SYS_bpf, BPF_PROG_LOAD, &make, sizeof make));
            TRY("mmap-exec", mmap(0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
            TRY("mprotect-exec", mprotect(code, 4096, PROT_EXEC));
            TRY("type-into-terminal", ioctl(0, TIOCSTI, "x"));
            TRY("no-new-privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
            TRY("kill-other", kill(1, 0));
            TRY("setuid", syscall(SYS_setuid, 0));
            TRY("keyctl", syscall(SYS_keyctl, 0, 0));
            TRY("io-uring", syscall(SYS_io_uring_setup, 1, 0));
            TRY("from-the-future", syscall(SystemCallsFirstUnknown, 0));
            TRY("x32", syscall(0x40000000 + SYS_getpid));
            return 0;
        }
        """;

    [Fact]
    public void Numbers_EqualThoseOfTheHeaders()
    {
        Compare(["<asm/unistd.h>"], RuntimeInformation.ProcessArchitecture);
        Compare(GenericHeaders, Architecture.Arm64);
    }

    [Fact]
    public void Kernel_RefusesCallsThatTheDaemonDoesNotNeed()
    {
        const int Eperm = 1, Enosys = 38, Ebadf = 9;
        string[] allowed = ["getpid", "socket-inet", "mmap", "thread-name"];
        string[] unknown = ["from-the-future", "x32"];
        int other = Environment.ProcessId;

        foreach ((string call, int errno) in Attempt(Sandbox.Daemon(other)))
        {
            int expected = allowed.Contains(call) ? 0 : unknown.Contains(call) ? Enosys : call == "bpf-lookup" ? Ebadf : Eperm;
            Assert.Equal((call, expected), (call, errno));
        }
    }

    [Fact]
    public void Attacher_MayNeitherChangeMapsNorWriteFiles()
    {
        const int Eperm = 1;
        string[] refused = ["bpf-lookup", "bpf-make", "bpf-load", "execve", "fork", "ptrace", "socket-packet", "mount"];
        Dictionary<string, int> answers = Attempt(Sandbox.Attacher(Environment.ProcessId));

        Assert.All(refused, call => Assert.Equal((call, Eperm), (call, answers[call])));
        Assert.Equal(0, answers["getpid"]);
        Assert.DoesNotContain(Sandbox.Attacher(1), rule => rule.Call is "connect" or "accept4" or "unlink" or "rename" or "chmod" or "fchown");
    }

    [Fact]
    public void AbsentCall_FailsAsOnAnOlderKernel()
    {
        const int Enosys = 38;
        Architecture own = RuntimeInformation.ProcessArchitecture;
        sock_filter[] daemon = SeccompFilter.Build([.. Sandbox.Daemon(1), SeccompRule.Always("seccomp")], own);
        Dictionary<string, int> alone = Attempt(daemon);
        Dictionary<string, int> both = Attempt(daemon, SeccompFilter.BuildAbsent("getpid", own));

        Assert.Equal((0, Enosys), (alone["getpid"], both["getpid"]));
        Assert.Equal(alone.Remove("getpid"), both.Remove("getpid"));
        Assert.Equal(alone, both);
    }

    [Theory]
    [InlineData("couic.service", false)]
    [InlineData("pkg/couic-attacher@.service", true)]
    public void Unit_AllowsTheSameCalls(string unit, bool attacher)
    {
        const string Key = "SystemCallFilter=";
        IEnumerable<string> inUnit = File.ReadLines(Path.Combine(CompiledC.Repository, unit))
            .Where(line => line.StartsWith(Key, StringComparison.Ordinal))
            .SelectMany(line => line[Key.Length..].Split(' '));
        SeccompRule[] rules = attacher ? Sandbox.Attacher(1) : Sandbox.Daemon(1);

        Assert.Equal(rules.Select(r => r.Call).Concat(Sandbox.Start).Order(), inUnit.Order());
    }

    [Fact]
    public void EveryKnownNumber_IsUsed() =>
        Assert.Equal(Sandbox.Daemon(1).Concat(Sandbox.Attacher(1)).Select(r => r.Call).Concat(Sandbox.Start).Distinct().Order(), SystemCalls.Names.Order());

    private static void Compare(string[] headers, Architecture architecture)
    {
        string[] names = [.. SystemCalls.Names.Where(name => SystemCalls.Number(name, architecture) is not null)];
        long[] numbers = CompiledC.Evaluate(headers, [.. names.Select(name => "__NR_" + name)]);

        Assert.Equal(names.Zip(numbers), names.Select(name => (name, (long)SystemCalls.Number(name, architecture)!.Value)));
    }

    private static Dictionary<string, int> Attempt(SeccompRule[] rules) =>
        Attempt(SeccompFilter.Build(rules, RuntimeInformation.ProcessArchitecture));

    private static Dictionary<string, int> Attempt(params sock_filter[][] programs)
    {
        using var folder = new TempFolder();
        for (int i = 0; i < programs.Length; i++)
        {
            File.WriteAllBytes(folder["program" + i], MemoryMarshal.AsBytes<sock_filter>(programs[i]));
        }

        string source = Attempts.Replace("SystemCallsFirstUnknown", SystemCalls.FirstUnknown.ToString(), StringComparison.Ordinal);
        string[] lines = CompiledC.Execute(folder, source, string.Join(' ', programs.Select((_, i) => folder["program" + i])));
        return lines.Select(line => line.Split(' ')).ToDictionary(words => words[0], words => int.Parse(words[1]));
    }
}
