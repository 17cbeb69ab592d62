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
        foreach (int child in Children(daemon.Process.Id))
        {
            Dictionary<string, string> status = Status($"/proc/{child}");
            Assert.Equal(0UL, Mask(status["CapEff"]) & ~NetAdminAndBpf);
            Assert.Equal(0UL, Mask(status["CapBnd"]) & ~NetAdminAndBpf);
            Assert.Equal("1", status["NoNewPrivs"]);
        }
    }

    private static void AssertPowerless(string thread)
    {
        Dictionary<string, string> status = Status(thread);
        Assert.All(CapabilitySets, set => Assert.Equal((set, 0UL), (set, Mask(status[set]))));
        Assert.Equal("1", status["NoNewPrivs"]);
        Assert.Equal(string.Join('\t', Enumerable.Repeat(Owner.Nobody.Uid, 4)), status["Uid"]);
        Assert.Equal(string.Join('\t', Enumerable.Repeat(Owner.Nobody.Gid, 4)), status["Gid"]);
        Assert.Equal(Owner.Nobody.Gid.ToString(), status["Groups"] is "" ? Owner.Nobody.Gid.ToString() : status["Groups"]);
    }

    private static IEnumerable<int> Children(int parent) =>
        Directory.GetDirectories("/proc").Select(d => int.TryParse(Path.GetFileName(d), out int pid) ? pid : 0)
            .Where(pid => pid != 0 && ParentOf(pid) == parent);

    private static int ParentOf(int pid)
    {
        try
        {
            return int.Parse(Status($"/proc/{pid}")["PPid"]);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static ulong Mask(string hex) => Convert.ToUInt64(hex, 16);

    private static Dictionary<string, string> Status(string folder) =>
        File.ReadLines(folder + "/status").Select(l => l.Split(':', 2)).ToDictionary(f => f[0], f => f[1].Trim());
}
