using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>What the running daemon may still do, read from the kernel for each of its threads.</summary>
public sealed class PrivilegeTests
{
    private static readonly string[] CapabilitySets = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

    [Fact]
    public void NoThreadHasAnyPrivilegeAndTheApiStillWorks()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);

        // Requests first, so that every thread that serves them is there.
        daemon.Api.Add("drop", "198.51.100.7/32", expiration: DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 60);
        daemon.Api.Post("/v1/client", """{"name":"other","group":"clientro"}""").Expect(201);
        Assert.False(lab.Probe.Passes("198.51.100.7"));

        string[] threads = Directory.GetDirectories($"/proc/{daemon.Process.Id}/task");
        Assert.NotEmpty(threads);
        Assert.All(threads, AssertPowerless);
        daemon.Api.Remove("drop", "198.51.100.7/32");
        Assert.True(lab.Probe.Passes("198.51.100.7"));
    }

    [Fact]
    public void TheProcessThatAttachesAgainKeepsTwoCapabilitiesAndNothingElse()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);
        const ulong NetAdminAndBpf = (1UL << 12) | (1UL << 39);
        int attacher = Assert.Single(Processes.Children(daemon.Process.Id));
        Assert.All(Directory.GetDirectories($"/proc/{attacher}/task"), thread =>
        {
            Dictionary<string, string> status = Processes.Status(thread);
            Assert.All(CapabilitySets, set => Assert.Equal((set, NetAdminAndBpf), (set, Mask(status[set]))));
            Assert.Equal("1", status["NoNewPrivs"]);
        });
    }

    [Fact]
    public void NoThreadMayMakeASystemCallThatTheProcessDoesNotNeed()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);
        daemon.Api.Add("drop", "198.51.100.7/32", expiration: DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 60);
        int attacher = Assert.Single(Processes.Children(daemon.Process.Id));

        Assert.All(Directory.GetDirectories($"/proc/{daemon.Process.Id}/task").Concat(Directory.GetDirectories($"/proc/{attacher}/task")),
            thread => Assert.Equal("2", Processes.Status(thread)["Seccomp"]));
        AssertRefuses(SeccompFilters.Of(daemon.Process.Id), serves: true);
        AssertRefuses(SeccompFilters.Of(attacher), serves: false);
    }

    // Numbers of x86-64. What is refused answers EPERM (1), what looks as on an older kernel ENOSYS (38).
    private static void AssertRefuses(SeccompFilters filters, bool serves)
    {
        const uint Native = 0xc000_003e, Ia32 = 0x4000_0003;
        const int Socket = 41, Clone = 56, Bpf = 321, Clone3 = 435, X32 = 0x4000_0000;
        (string Name, int Number)[] never = [
            ("execve", 59), ("execveat", 322), ("fork", 57), ("vfork", 58), ("ptrace", 101), ("mount", 165), ("umount2", 166), ("chroot", 161),
            ("pivot_root", 155), ("unshare", 272), ("setns", 308), ("setuid", 105), ("setresuid", 117), ("capset", 126), ("seccomp", 317),
            ("init_module", 175), ("finit_module", 313), ("kexec_load", 246), ("reboot", 169), ("process_vm_writev", 311), ("keyctl", 250),
            ("perf_event_open", 298), ("userfaultfd", 323), ("io_uring_setup", 425), ("mknod", 133), ("symlink", 88), ("setrlimit", 160),
            ("settimeofday", 164), ("sethostname", 170), ("personality", 135), ("memfd_create", 319), ("pidfd_getfd", 438)];

        Assert.Equal(2, filters.Count);
        Assert.All(never, call => Assert.Equal((call.Name, 1), (call.Name, filters.Answer(call.Number, Native))));
        Assert.Equal(0, filters.Answer(0, Native)); // read
        Assert.Equal(0, filters.Answer(231, Native)); // exit_group
        Assert.Equal(38, filters.Answer(Clone3, Native));
        Assert.Equal(0, filters.Answer(Clone, Native, 0x0001_0000));
        Assert.Equal(1, filters.Answer(Clone, Native, 17)); // a child, not a thread
        Assert.All((ulong[])[1, 2, 10, 16], family => Assert.Equal(0, filters.Answer(Socket, Native, family)));
        Assert.Equal(42, Enumerable.Range(0, 46).Count(family => filters.Answer(Socket, Native, (ulong)family) == 1));
        Assert.Equal(serves ? 0 : 1, filters.Answer(43, Native)); // accept
        Assert.Equal(serves ? 0 : 1, filters.Answer(Bpf, Native, 2)); // BPF_MAP_UPDATE_ELEM
        Assert.Equal(serves ? 1 : 0, filters.Answer(Bpf, Native, 28)); // BPF_LINK_CREATE
        Assert.All((ulong[])[0, 5, 18], command => Assert.Equal(1, filters.Answer(Bpf, Native, command))); // make a map, load a program, load types

        // Of another architecture there is none at all, and none under another number.
        Assert.All(Enumerable.Range(0, 600), number => Assert.Equal(1, filters.Answer(number, Ia32)));
        Assert.All(Enumerable.Range(0, 600), number => Assert.Equal(38, filters.Answer(number | X32, Native)));
        int allowed = Enumerable.Range(0, 600).Count(number => filters.Answer(number, Native) == 0);
        Assert.InRange(allowed, 50, serves ? 130 : 90);
    }

    private static void AssertPowerless(string thread)
    {
        Dictionary<string, string> status = Processes.Status(thread);
        Assert.All(CapabilitySets, set => Assert.Equal((set, 0UL), (set, Mask(status[set]))));
        Assert.Equal("1", status["NoNewPrivs"]);
        Assert.Equal(string.Join('\t', Enumerable.Repeat(Owner.Nobody.Uid, 4)), status["Uid"]);
        Assert.Equal(string.Join('\t', Enumerable.Repeat(Owner.Nobody.Gid, 4)), status["Gid"]);
        Assert.Equal(Owner.Nobody.Gid.ToString(), status["Groups"] is "" ? Owner.Nobody.Gid.ToString() : status["Groups"]);
    }

    private static ulong Mask(string hex) => Convert.ToUInt64(hex, 16);
}
