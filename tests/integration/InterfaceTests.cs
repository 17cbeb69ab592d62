using System.Diagnostics;
using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Interfaces that are missing, come, go, change their name or lose the program, with packets; the daemon must follow.</summary>
public sealed class InterfaceTests : IDisposable
{
    private const string Listed = "198.51.100.7", Other = "198.51.100.8";

    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void AMissingInterface_KeepsNoOtherFromBeingFiltered_AndIsFilteredWhenItComes()
    {
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Interfaces = ["wg0", Lab.Interface] });
        daemon.Api.Add("drop", Listed + "/32");
        Assert.Equal([false, true], _lab.Probe.Passes([Listed, Other]));
        Assert.Equal(["wg0 wg0 missing", "cin cin attached"], Shown(daemon));
        Eventually.Holds(() => daemon.Said.Contains("wg0 is not filtered: no such interface (have: ", StringComparison.Ordinal), "the log names it");
        Assert.Contains("couic_interface_attached{interface=\"wg0\",mode=\"generic\"} 0", Metrics(daemon), StringComparison.Ordinal);
        Assert.Contains("couic_interface_attached{interface=\"cin\",mode=\"generic\"} 1", Metrics(daemon), StringComparison.Ordinal);

        _lab.Ip("link", "add", "wg0", "type", "veth", "peer", "name", "wg1");
        Eventually.Holds(() => _lab.Attached("wg0").Length > 0, "attached");
        Eventually.Holds(() => Shown(daemon).SequenceEqual(["wg0 wg0 attached", "cin cin attached"]), "and shown");
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void WithNoInterfaceAtTheStart_ItServes_AndFiltersTheFirstPacketOfTheOneThatComes(string mode)
    {
        _lab.Ip("link", "delete", Lab.Interface);
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Mode = mode });
        daemon.Api.Add("drop", Listed + "/32");
        Assert.Equal(["cin cin missing"], Shown(daemon));
        Shell.Check(_lab.Outside, "ip", "link", "add", Lab.OuterInterface, "numtxqueues", "1", "numrxqueues", "1", "type", "veth",
            "peer", "name", Lab.Interface, "numtxqueues", "1", "numrxqueues", "1", "netns", _lab.Inside.Path);
        Eventually.Holds(() => _lab.Attached().Length > 0, "attached while it is down");
        Assert.DoesNotContain("UP", _lab.Ip("-o", "link", "show", "dev", Lab.Interface).Split('>')[0], StringComparison.Ordinal);
        _lab.ConfigurePair();
        using Probe probe = new(_lab.Inside, Lab.Interface, _lab.Outside, Lab.OuterInterface);
        Assert.Equal([false, true], probe.Passes([Listed, Other]));
        Assert.Equal(0, daemon.End());
        Assert.Equal("", _lab.Attached());
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void AnInterfaceThatIsDownAtTheStart_IsFilteredWhenItComesUp(string mode)
    {
        _lab.Ip("link", "set", Lab.Interface, "down");
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Mode = mode });
        daemon.Api.Add("drop", Listed + "/32");
        Assert.Equal(["cin cin attached"], Shown(daemon));
        _lab.Ip("link", "set", Lab.Interface, "up");
        Assert.Equal([false, true], _lab.Probe.Passes([Listed, Other]));
    }

    [Fact]
    public void ANewInterface_IsFiltered_LongBeforeTheNextLook()
    {
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Interfaces = [Lab.Interface, "late0"] });
        List<double> waits = [];
        for (int i = 0; i < 7; i++)
        {
            _lab.Ip("link", "add", "late0", "type", "veth", "peer", "name", "late1");
            long start = Stopwatch.GetTimestamp();
            Eventually.Holds(() => _lab.Attached("late0").Length > 0, "attached");
            waits.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            _lab.Ip("link", "delete", "late0");
        }

        // 50 ms are promised; without notices, one poll per second would give a median of about 500 ms.
        Assert.InRange(waits.Order().ElementAt(3), 0, 250);
    }

    [Fact]
    public void ARenamedInterface_StaysFiltered_AndSoIsAnotherThatTakesItsName()
    {
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", Listed + "/32");
        _lab.Ip("link", "set", Lab.Interface, "down");
        _lab.Ip("link", "set", Lab.Interface, "name", "renamed");
        _lab.Ip("link", "set", "renamed", "up");
        Eventually.Holds(() => Shown(daemon).SequenceEqual(["cin renamed attached"]), "both names are shown");
        Thread.Sleep(3000); // looks that are made each second must not take it off either
        using (Probe probe = new(_lab.Inside, "renamed", _lab.Outside, Lab.OuterInterface))
        {
            Assert.Equal([false, true], probe.Passes([Listed, Other]));
        }

        _lab.Ip("link", "add", Lab.Interface, "type", "veth", "peer", "name", "cin1");
        Eventually.Holds(() => _lab.Attached(Lab.Interface).Length > 0, "the other is attached");
        Assert.NotEqual("", _lab.Attached("renamed"));
        Eventually.Holds(() => Shown(daemon).SequenceEqual(["cin cin attached", "cin renamed attached"]), "both are shown");
        Assert.Contains("couic_interface_attached{interface=\"renamed\",mode=\"generic\"} 1", Metrics(daemon), StringComparison.Ordinal);
        Assert.Equal(0, daemon.End());
        Assert.Equal("", _lab.Attached("renamed"));
        Assert.Equal("", _lab.Attached(Lab.Interface));
    }

    [Fact]
    public void AnInterfaceThatMovesToAnotherNamespace_IsLetGo_AndFilteredWhenItIsBack()
    {
        using NetSpace elsewhere = new();
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", Listed + "/32");
        _lab.Ip("link", "set", Lab.Interface, "netns", elsewhere.Path);
        Eventually.Holds(() => Shown(daemon).SequenceEqual(["cin cin missing"]), "missing");
        Eventually.Holds(
            () => !Shell.Check(elsewhere, "ip", "-o", "link", "show", "dev", Lab.Interface).Contains("xdp", StringComparison.Ordinal), "let go");
        Shell.Check(elsewhere, "ip", "link", "set", Lab.Interface, "netns", _lab.Inside.Path);
        Eventually.Holds(() => _lab.Attached().Length > 0, "attached again");
        _lab.ConfigurePair();
        using Probe probe = new(_lab.Inside, Lab.Interface, _lab.Outside, Lab.OuterInterface);
        Assert.Equal([false, true], probe.Passes([Listed, Other]));
    }

    [Fact]
    public void AProgramTakenOffByForce_IsAttachedAgain_AndTheLogSaysSo()
    {
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", Listed + "/32");
        string id = LinkOf(Lab.Interface);
        Shell.Check(_lab.Inside, "bpftool", "link", "detach", "id", id);
        Eventually.Holds(() => _lab.Attached().Length > 0, "attached again");
        Assert.NotEqual(id, LinkOf(Lab.Interface));
        Assert.Equal([false, true], _lab.Probe.Passes([Listed, Other]));
        Eventually.Holds(() => daemon.Said.Contains("the program had been taken off cin", StringComparison.Ordinal), "the log says so");
    }

    [Fact]
    public void AnotherProgram_IsLeftAlone_AndShown_AndItsEndBringsTheFilter()
    {
        string compiled = ForeignProgram.Compile(_lab.Scratch);
        _lab.Ip("link", "set", "dev", Lab.Interface, "xdpgeneric", "obj", compiled, "sec", "xdp");
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", Listed + "/32");
        Assert.Equal(["cin cin taken"], Shown(daemon));
        Assert.True(_lab.Probe.Passes(Listed));
        string error = daemon.Api.Get("/v1/status").Json.GetProperty("interfaces")[0].GetProperty("error").GetString()!;
        Assert.Contains("ip link set dev cin xdpgeneric off", error, StringComparison.Ordinal);
        Assert.Contains("bpftool link detach", error, StringComparison.Ordinal);
        _lab.Ip("link", "set", "dev", Lab.Interface, "xdpgeneric", "off");
        Eventually.Holds(() => Shown(daemon).SequenceEqual(["cin cin attached"]), "attached");
        Assert.Equal([false, true], _lab.Probe.Passes([Listed, Other]));
    }

    [Fact]
    public void AnAlternativeName_IsResolved_AndShownWithTheRealOne()
    {
        const string LongName = "uplink-of-the-machine-to-the-provider";
        _lab.Ip("link", "property", "add", "dev", Lab.Interface, "altname", LongName);
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Interfaces = [LongName, "later"] });
        daemon.Api.Add("drop", Listed + "/32");
        Assert.Equal([$"{LongName} cin attached", "later later missing"], Shown(daemon));
        Assert.Equal([false, true], _lab.Probe.Passes([Listed, Other]));
        Assert.Contains($"{LongName} (cin): attached, generic", daemon.Ctl("status").Out, StringComparison.Ordinal);
        _lab.Ip("link", "add", "late0", "type", "veth", "peer", "name", "late1");
        _lab.Ip("link", "property", "add", "dev", "late0", "altname", "later");
        Eventually.Holds(() => Shown(daemon)[1] == "later late0 attached", "a name given later");
    }

    [Fact]
    public void AKilledAttacher_LeavesTheFilter_AndIsReported()
    {
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", Listed + "/32");
        _ = Libc.kill(Assert.Single(Processes.Children(daemon.Process.Id)), Libc.SIGKILL);
        Eventually.Holds(() => daemon.Api.Get("/v1/status").Json.GetProperty("attacher").GetString() == "lost", "the status says so");
        Assert.Equal([false, true], _lab.Probe.Passes([Listed, Other]));
        Assert.Equal(["cin cin attached"], Shown(daemon));
        Assert.Contains("couic_attacher_up 0", Metrics(daemon), StringComparison.Ordinal);
        Assert.Contains("restart couic", daemon.Ctl("status").Out, StringComparison.Ordinal);
        Eventually.Holds(() => daemon.Said.Contains("the attacher process has ended", StringComparison.Ordinal), "the log says so");
        daemon.Api.Add("drop", Other + "/32");
        Assert.Equal([false, false], _lab.Probe.Passes([Listed, Other]));

        _lab.RemakePair();
        Eventually.Holds(() => Shown(daemon).SequenceEqual(["cin cin failed"]), "what cannot be attached any more is not shown as attached");
        Assert.Equal(0, daemon.End());
        Assert.Equal("", _lab.Attached());
    }

    [Fact]
    public void AStoppedAttacher_HoldsUpNeitherTheApiNorTheEnd()
    {
        using Daemon daemon = Daemon.Start(_lab);
        int attacher = Assert.Single(Processes.Children(daemon.Process.Id));
        _ = Libc.kill(attacher, 19); // SIGSTOP
        try
        {
            Thread.Sleep(1500); // it is asked during that time
            daemon.Api.Add("drop", Listed + "/32");
            Assert.False(_lab.Probe.Passes(Listed));
            long start = Stopwatch.GetTimestamp();
            Assert.Equal(0, daemon.End());
            Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 15);
        }
        finally
        {
            _ = Libc.kill(attacher, Libc.SIGKILL);
        }
    }

    [Fact]
    public void HundredsOfInterfaces_AreAllFiltered_AndAllShown()
    {
        string[] names = [.. Enumerable.Range(0, 150).SelectMany(i => new[] { $"a{i}", $"b{i}" })];
        Shell.Check(_lab.Inside, "sh", "-c", "for i in $(seq 0 149); do echo \"link add a$i type veth peer name b$i\"; done | ip -batch -");
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Interfaces = [Lab.Interface, .. names] });
        daemon.Api.Add("drop", Listed + "/32");
        Assert.Equal([false, true], _lab.Probe.Passes([Listed, Other]));
        Assert.Equal(301, Shown(daemon).Count(line => line.EndsWith(" attached", StringComparison.Ordinal)));
        Assert.Equal(301, Shell.Check(_lab.Inside, "ip", "-o", "link", "show").Split('\n').Count(l => l.Contains("xdpgeneric", StringComparison.Ordinal)));

        // The daemon holds every link, not only the first 253.
        _ = Libc.kill(Assert.Single(Processes.Children(daemon.Process.Id)), Libc.SIGKILL);
        Eventually.Holds(() => daemon.Api.Get("/v1/status").Json.GetProperty("attacher").GetString() == "lost", "lost");
        Assert.Equal(301, Shell.Check(_lab.Inside, "ip", "-o", "link", "show").Split('\n').Count(l => l.Contains("xdpgeneric", StringComparison.Ordinal)));
    }

    [Fact]
    public void AFloodOfInterfaces_CostsLittleTimeAndFewLines_AndTheFilterIsThereAtItsEnd()
    {
        string[] names = [.. Enumerable.Range(0, 100).Select(i => $"a{i}")];
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Interfaces = [Lab.Interface, .. names] });
        Eventually.Holds(() => daemon.Said.Contains("of 101 are not filtered", StringComparison.Ordinal), "a count stands for most of them");
        TimeSpan before = Processes.CpuTime(daemon.Process.Id);
        long start = Stopwatch.GetTimestamp();
        Shell.Check(_lab.Inside, "sh", "-c", """
            for round in 1 2 3 4 5 6; do
              for i in $(seq 0 99); do echo "link add a$i type veth peer name b$i"; done | ip -batch -
              for i in $(seq 0 99); do echo "link delete a$i"; done | ip -batch -
            done
            for i in $(seq 0 99); do echo "link add a$i type veth peer name b$i"; done | ip -batch -
            """);
        double share = (Processes.CpuTime(daemon.Process.Id) - before) / Stopwatch.GetElapsedTime(start);
        Eventually.Holds(() => Shown(daemon).All(line => line.EndsWith(" attached", StringComparison.Ordinal)), "all attached");
        Assert.InRange(share, 0, 0.5);
        Assert.InRange(daemon.Said.Split('\n').Count(l => l.Contains("filtered", StringComparison.Ordinal) || l.Contains("attached", StringComparison.Ordinal)), 10, 400);
    }

    [Fact]
    public void RequireIfaces_OneMissing_RefusesTheStart_AndLeavesNothingAttached()
    {
        string config = Daemon.Write(_lab.Scratch, new DaemonOptions { Interfaces = [Lab.Interface, "eth7"], Top = "require_ifaces = true" });
        Shell.Result result = Product.Run(_lab.Inside, "run", "-c", config);
        Assert.Equal(1, result.ExitCode);
        Assert.Matches("attach xdp program to \"eth7\": no such interface \\(have: .*cin.*\\) \\(require_ifaces = true\\)", result.Error);
        Assert.Equal("", _lab.Attached());

        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Name = "all", Top = "require_ifaces = true" });
        Assert.Equal(["cin cin attached"], Shown(daemon));
        _lab.RemakePair(); // what is missing later keeps the daemon from nothing
        Eventually.Holds(() => _lab.Attached().Length > 0, "attached again");
    }

    private static string[] Shown(Daemon daemon) =>
        [.. daemon.Api.Get("/v1/status").Json.GetProperty("interfaces").EnumerateArray().Select(Line)];

    private static string Line(JsonElement shown) =>
        $"{shown.GetProperty("configured").GetString()} {shown.GetProperty("name").GetString()} {shown.GetProperty("state").GetString()}";

    private static string Metrics(Daemon daemon) => daemon.Api.Get("/v1/metrics?format=prometheus").Body;

    /// <summary>The id of the link that holds the program of an interface which is the only one with that program.</summary>
    private string LinkOf(string device)
    {
        using JsonDocument shown = JsonDocument.Parse(_lab.Ip("-j", "link", "show", "dev", device));
        int program = shown.RootElement[0].GetProperty("xdp").GetProperty("prog").GetProperty("id").GetInt32();
        using JsonDocument links = JsonDocument.Parse(Shell.Check(_lab.Inside, "bpftool", "-j", "link", "list"));
        return links.RootElement.EnumerateArray().Single(l => l.GetProperty("prog_id").GetInt32() == program).GetProperty("id").ToString();
    }
}
