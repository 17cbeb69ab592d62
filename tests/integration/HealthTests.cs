using System.Globalization;
using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Each kind of fault is made, shows in <c>couicctl status --check</c>, in the status and in the metrics, and is gone when it is mended.</summary>
public sealed class HealthTests : IDisposable
{
    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void ADaemonThatIsWellIsSaidToBe_AndOneThatIsGoneToBeUnreachable()
    {
        using Daemon daemon = Daemon.Start(_lab);
        AssertWell(daemon);
        Assert.Contains("none since the start", daemon.Ctl("status").Out, StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Null, Status(daemon).GetProperty("last_reload").ValueKind);
        daemon.End();
        Shell.Result gone = daemon.Ctl("status", "--check");
        Assert.Equal((3, ""), (gone.ExitCode, gone.Out));
        Assert.StartsWith("couicctl: ", gone.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AnInterfaceThatIsDeleted_IsAFaultUntilItIsBack()
    {
        using Daemon daemon = Daemon.Start(_lab);
        _lab.Ip("link", "delete", Lab.Interface);
        AssertFault(daemon, "interface", $"interface \"{Lab.Interface}\" is not filtered: ");
        _lab.Ip("link", "add", Lab.Interface, "type", "veth", "peer", "name", "cpeer");
        _lab.Ip("link", "set", Lab.Interface, "up");
        AssertWell(daemon);
    }

    [Fact]
    public void AConfigurationThatIsChanged_IsAFaultUntilItIsLoaded()
    {
        using Daemon daemon = Daemon.Start(_lab);
        string good = File.ReadAllText(daemon.Config);
        File.WriteAllText(daemon.Config, good + "# a remark\n");
        AssertFault(daemon, "configuration", "has changed since it was loaded (couicctl reload)");
        Assert.Equal(0, daemon.Ctl("reload").ExitCode);
        AssertWell(daemon);
        File.WriteAllText(daemon.Config, good.Replace("[server]", "[limits]\nmax_tags = 77\n\n[server]", StringComparison.Ordinal));
        Assert.Equal(0, daemon.Ctl("reload").ExitCode);
        AssertFault(daemon, "configuration", "in force only after a restart: limits.max_tags");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void AFailedReloadOfTheConfiguration_ShowsUntilAGoodOne(bool bySignal)
    {
        using Daemon daemon = Daemon.Start(_lab);
        string good = File.ReadAllText(daemon.Config);
        File.WriteAllText(daemon.Config, good + "\n[guard]\nfoo = 1\n");
        Reload();
        AssertFault(daemon, "configuration", "the last reload of the configuration failed, nothing has changed: ");
        Assert.Contains("guard.foo", Status(daemon).GetProperty("last_reload").GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.False(Status(daemon).GetProperty("reloads").GetProperty("configuration").GetProperty("ok").GetBoolean());
        Assert.Contains("couic_last_reload_successful{kind=\"configuration\"} 0\n", Metrics(daemon), StringComparison.Ordinal);
        Assert.Contains("failed: ", daemon.Ctl("status").Out, StringComparison.Ordinal);

        // A good reload of something else does not hide it, and a mended file is not a good reload.
        Assert.Equal(0, daemon.Ctl("sets", "reload").ExitCode);
        File.WriteAllText(daemon.Config, good);
        AssertFault(daemon, "configuration", "the last reload of the configuration failed");
        Assert.False(Status(daemon).GetProperty("last_reload").GetProperty("ok").GetBoolean());
        Reload();
        AssertWell(daemon);
        Assert.Contains("couic_last_reload_successful{kind=\"configuration\"} 1\n", Metrics(daemon), StringComparison.Ordinal);
        void Reload() => _ = bySignal ? Signal() : daemon.Ctl("reload").ExitCode;
        int Signal()
        {
            daemon.Signal(Libc.SIGHUP);
            return 0;
        }
    }

    [Fact]
    public void SetFilesThatAreBrokenOrNotLoaded_AreFaults()
    {
        using Daemon daemon = Daemon.Start(_lab);
        Assert.Equal(0, daemon.Ctl("sets", "create", "drop", "list", "192.0.2.0/24").ExitCode);
        string file = Path.Combine(daemon.WorkingFolder, "sets", "drop", "list.couic");
        AssertFault(daemon, "set", $"set file \"{file}\" is new since sets were loaded (couicctl sets reload)");
        Assert.Equal(0, daemon.Ctl("sets", "reload").ExitCode);
        AssertWell(daemon);
        File.WriteAllText(file, "nonsense\n");
        AssertFault(daemon, "set", $"set file \"{file}\" has changed since sets were loaded");
        Assert.Equal(4, daemon.Ctl("sets", "reload").ExitCode);
        AssertFault(daemon, "set", "the last reload of sets failed, nothing has changed: ");
        daemon.End();
        using Daemon next = Daemon.Start(_lab);
        AssertFault(next, "set", $"set file \"{file}\" is skipped: ");
        File.Delete(file);
        Assert.Equal(0, next.Ctl("reload").ExitCode);
        AssertWell(next);
    }

    [Fact]
    public void AFullTable_IsAFault()
    {
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Tables = "[limits]\nmax_ignore_entries = 1\n" });
        daemon.Api.Add("ignore", "192.0.2.1/32");
        AssertFault(daemon, "table", "table \"ignore ipv4\" is full: 1 of 1 entries");
        Assert.Contains("FULL", daemon.Ctl("status").Out, StringComparison.Ordinal);
        Assert.Equal(0, daemon.Ctl("ignore", "delete", "192.0.2.1").ExitCode);
        AssertWell(daemon);
    }

    [Fact]
    public void APeerThatIsGone_IsAFaultUntilItIsBack()
    {
        using var cluster = new Cluster(2);
        Eventually.Holds(() => cluster[0]!.Ctl("status", "--check").ExitCode == 0, "the nodes agree", 75);
        cluster.Kill(1);
        AssertFault(cluster[0]!, "peer", $"peer \"{cluster.AddressOf(1)}:");
        cluster.Start(1);
        Eventually.Holds(() => cluster[0]!.Ctl("status", "--check").ExitCode == 0, "the nodes agree again", 75);
    }

    [Fact]
    public void DriftOfTheKernel_IsAFaultUntilTheNextComparisonFindsNone()
    {
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", "198.51.100.7/32");
        KernelTables.Delete(daemon, "couic_ipv4_drop", "198.51.100.7/32");
        daemon.Signal(Libc.SIGHUP);
        AssertFault(daemon, "drift", "rules in the kernel differed and were repaired");
        daemon.Signal(Libc.SIGHUP);
        AssertWell(daemon);
    }

    [Fact]
    public void AGatewayThatIsDropped_IsAFaultUntilItIsAllowed()
    {
        _lab.Ip("route", "add", "default", "via", Lab.OutsideV4);
        using Daemon daemon = Daemon.Start(_lab);
        AssertWell(daemon);
        daemon.Api.Add("drop", Lab.OutsideV4 + "/32", query: "?force=true");
        AssertFault(daemon, "guard", $"{Lab.OutsideV4} (the default gateway) is dropped by {Lab.OutsideV4}/32");
        daemon.Api.Add("ignore", Lab.OutsideV4 + "/32");
        AssertWell(daemon);
    }

    [Fact]
    public void AnAttacherThatIsKilled_IsAFault()
    {
        using Daemon daemon = Daemon.Start(_lab);
        string children = File.ReadAllText($"/proc/{daemon.Process.Id}/task/{daemon.Process.Id}/children");
        _ = Libc.kill(int.Parse(children.Split(' ')[0], CultureInfo.InvariantCulture), Libc.SIGKILL);
        AssertFault(daemon, "attacher", "the attacher process has ended");
    }

    private static void AssertFault(Daemon daemon, string kind, string message)
    {
        Shell.Result check = default!;
        Eventually.Holds(() => (check = daemon.Ctl("status", "--check")).Out.Contains(message, StringComparison.Ordinal), $"a fault says: {message}");
        Assert.Equal((1, ""), (check.ExitCode, check.Error));
        JsonElement status = Status(daemon);
        Assert.Equal("degraded", status.GetProperty("health").GetString());
        Assert.Contains(status.GetProperty("faults").EnumerateArray(), fault => fault.GetProperty("kind").GetString() == kind);
        string metrics = Metrics(daemon);
        Assert.Contains("couic_healthy 0\n", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain($"couic_faults{{kind=\"{kind}\"}} 0\n", metrics, StringComparison.Ordinal);
    }

    private static void AssertWell(Daemon daemon)
    {
        Shell.Result check = default!;
        Eventually.Holds(() => (check = daemon.Ctl("status", "--check")).ExitCode == 0, "all is well");
        Assert.Equal(("", ""), (check.Out, check.Error));
        Assert.Equal("ok", Status(daemon).GetProperty("health").GetString());
        Assert.Contains("couic_healthy 1\n", Metrics(daemon), StringComparison.Ordinal);
    }

    private static JsonElement Status(Daemon daemon) => daemon.Api.Get("/v1/status").Expect(200).Json;

    private static string Metrics(Daemon daemon) => daemon.Api.Get("/v1/metrics?format=prometheus").Expect(200).Body;
}
