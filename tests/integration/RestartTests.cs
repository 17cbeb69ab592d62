using System.Diagnostics;
using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>The filter outlives the process where its links are kept: listed packets stay out while daemons end, fail and start.</summary>
public sealed class RestartTests : IDisposable
{
    private const UnixFileMode OwnerOnly = (UnixFileMode)0b110_000_000;

    private static readonly string[] Listed = ["198.51.100.7", "198.51.100.8", "2001:db8:bad::7", "203.0.113.9"];
    private static readonly string[] Others = ["198.51.100.10", "192.0.2.1", "2001:db8:bad:9::1", "2001:db8::1"];

    private readonly Lab _lab = new();
    private readonly ServiceManager _manager;

    public RestartTests()
    {
        _manager = new ServiceManager(_lab.Scratch);
        WriteSet("drop", "blocklist", "198.51.100.0/24\n203.0.113.9/32\n2001:db8:bad::/48\n");
        WriteSet("ignore", "friends", "198.51.100.10/32\n2001:db8:bad:9::/64\n");
    }

    public void Dispose()
    {
        _manager.Dispose();
        _lab.Dispose();
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void RestartsCrashesAndFailedStarts_AdmitNoListedPacket_AndLoseNoOther(string mode)
    {
        DaemonOptions options = new() { Mode = mode };
        Daemon daemon = _manager.Start(_lab, options);
        string name = Assert.Single(_manager.Names);
        string first = _manager.Link(name);
        long attachedAt = AttachedAt(daemon);
        Assert.Equal(("stored", "volatile"), (Restart(daemon, "filter").GetString(), Restart(daemon, "rules").GetString()));
        Assert.Equal(JsonValueKind.Null, Restart(daemon, "handover_secs").ValueKind);
        using (Crossing crossing = new(_lab.Probe, Listed, Others))
        {
            foreach (int signal in (int[])[Libc.SIGTERM, Libc.SIGKILL, Libc.SIGTERM, Libc.SIGKILL])
            {
                daemon.End(signal);
                Assert.NotEqual("", _lab.Attached());
                FailToStart(options);
                daemon.Dispose();
                daemon = _manager.Start(_lab, options);
                AwaitLine(daemon, "interfaces taken over without a gap: 1,");
            }

            long sent = crossing.Sent;
            Eventually.Holds(() => crossing.Sent > sent + 100, "packets are sent after the last restart");
            Assert.Equal((0, 0), crossing.Errors);
        }

        Assert.Equal(attachedAt, AttachedAt(daemon));
        Assert.InRange(Restart(daemon, "handover_secs").GetDouble(), 0.001, 60);
        string metrics = daemon.Api.Get("/v1/metrics?format=prometheus").Expect(200).Body;
        Assert.Contains("\ncouic_filter_outlives_process 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("\ncouic_stored_links 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("\ncouic_handover_seconds 0.", metrics, StringComparison.Ordinal);

        // The link is the same, and its program is another one.
        Assert.Equal([name], _manager.Names);
        Assert.Equal(first.Split(' ')[0], _manager.Link(name).Split(' ')[0]);
        Assert.NotEqual(first, _manager.Link(name));
        Assert.Equal(Listed.Length, daemon.Api.Get("/v1/stats").Expect(200).Json.GetProperty("drop_cidr_count").GetInt32() + 1);
        daemon.Api.Add("drop", "192.0.2.1/32");
        Assert.False(_lab.Probe.Passes("192.0.2.1"));
        Assert.Equal(0, daemon.End());
        daemon.Dispose();
        _manager.Release();
        Eventually.Holds(() => _lab.Attached().Length == 0, "a stopped service filters nothing");
    }

    private static JsonElement Restart(Daemon daemon, string member) =>
        daemon.Api.Get("/v1/status").Expect(200).Json.GetProperty("restart").GetProperty(member);

    private static long AttachedAt(Daemon daemon) =>
        daemon.Api.Get("/v1/status").Expect(200).Json.GetProperty("interfaces")[0].GetProperty("attached_at").GetInt64();

    [Fact]
    public void AStartThatIsKilledAtAnyTime_LeavesTheFilter()
    {
        DaemonOptions options = new();
        _manager.Start(_lab, options).Dispose();
        using Crossing crossing = new(_lab.Probe, Listed, Others);
        for (int delay = 5; delay < 250; delay += 35)
        {
            using Process starting = StartRaw(options, out _);
            Thread.Sleep(delay);
            starting.Kill();
            starting.WaitForExit();
        }

        using Daemon daemon = _manager.Start(_lab, options);
        AwaitLine(daemon, "interfaces taken over without a gap: 1,");
        Assert.Equal((0, 0), crossing.Errors);
    }

    [Fact]
    public void RequiredInterfaces_OneMissing_TheFilterOfThePreviousProcessStaysAsItWas()
    {
        _manager.Start(_lab, new DaemonOptions()).Dispose();
        string before = _manager.Link(_manager.Names[0]);
        Assert.Contains("wg0", Fails(new DaemonOptions { Interfaces = [Lab.Interface, "wg0"], Top = "require_ifaces = true" }), StringComparison.Ordinal);
        Assert.Equal(before, _manager.Link(Assert.Single(_manager.Names)));
        Assert.False(_lab.Probe.Passes(Listed[0]));
    }

    [Fact]
    public void InterfacesThatComeAndGo_EnterAndLeaveTheStore()
    {
        DaemonOptions options = new() { Interfaces = [Lab.Interface, "late0"] };
        using (Daemon daemon = _manager.Start(_lab, options))
        {
            Assert.Single(_manager.Names);
            _lab.Ip("link", "add", "late0", "type", "veth", "peer", "name", "late1");
            Eventually.Holds(() => _manager.Names.Length == 2, "its link is stored");
            _lab.Ip("link", "delete", "late0");
            Eventually.Holds(() => _manager.Names.Length == 1, "its link leaves the store");
            _lab.Ip("link", "add", "late0", "type", "veth", "peer", "name", "late1");
            Eventually.Holds(() => _manager.Names.Length == 2, "a new link is stored");
            daemon.End(Libc.SIGKILL);
        }

        // It goes while no daemon runs.
        _lab.Ip("link", "delete", "late0");
        using Daemon next = _manager.Start(_lab, options);
        Eventually.Holds(() => _manager.Names.Length == 1, "the link without an interface leaves the store");
    }

    [Fact]
    public void AnInterfaceThatIsNotConfiguredAnyMore_IsNotFilteredAnyMore()
    {
        _lab.Ip("link", "add", "lan0", "type", "veth", "peer", "name", "lan1");
        _manager.Start(_lab, new DaemonOptions { Interfaces = [Lab.Interface, "lan0"] }).Dispose();
        _lab.Ip("link", "set", "lan0", "name", "renamed");
        Assert.NotEqual("", _lab.Attached("renamed"));
        using Daemon daemon = _manager.Start(_lab, new DaemonOptions { Interfaces = [Lab.Interface, "lan0"] });
        Assert.Equal("", _lab.Attached("renamed"));
        Assert.NotEqual("", _lab.Attached());
        Assert.Single(_manager.Names);
        AwaitLine(daemon, "renamed was filtered by the previous process and is not any more");
    }

    [Theory]
    [InlineData("generic", "native", "native")]
    [InlineData("native", "generic", "generic")]
    [InlineData("native", "auto", "native")]
    [InlineData("generic", "auto", "generic")]
    public void AnotherMode_IsAttachedAgain_AndAutomaticModeKeepsTheOldOne(string before, string after, string effective)
    {
        _manager.Start(_lab, new DaemonOptions { Mode = before }).Dispose();
        string old = Assert.Single(_manager.Names);
        using Daemon daemon = _manager.Start(_lab, new DaemonOptions { Mode = after });
        Assert.Equal(effective, daemon.Api.Get("/v1/status").Expect(200).Json.GetProperty("interfaces")[0].GetProperty("mode").GetString());
        Assert.False(_lab.Probe.Passes(Listed[0]));
        bool isInterrupted = after != "auto";
        AwaitLine(daemon, isInterrupted
            ? $"cin was detached and attached again in {after} mode, and was not filtered in between: it was attached in {before} mode"
            : $"took over cin in {before} mode");
        Assert.Equal(isInterrupted, Assert.Single(_manager.Names) != old);
    }

    [Fact]
    public void ALinkThatRefusesAnotherProgram_IsDetached_AndTheInterfaceAttachedAgain()
    {
        // Loaded without an attach type, as no version of couic does: the kernel does not replace such a program by ours.
        using ForeignProgram old = new();
        _lab.Inside.Do(() => Assert.Equal(0, old.Link(Lab.Interface, "generic")));
        _manager.Put($"couic-link-{LinkId(old.LinkDescriptor)}-1700000000", old.LinkDescriptor);
        using Daemon daemon = _manager.Start(_lab, new DaemonOptions());
        AwaitLine(daemon, "its link keeps the old program: invalid argument");
        Assert.False(_lab.Probe.Passes(Listed[0]));
        Assert.DoesNotContain("1700000000", Assert.Single(_manager.Names), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("couic-link-1-1700000000")] // another id
    [InlineData("couic-link-x")] // of another version
    [InlineData("couic.socket")] // of another unit
    public void ADescriptorThatIsNotWhatItsNameSays_IsLeftAlone(string name)
    {
        using ForeignProgram other = new();
        _lab.Inside.Do(() => Assert.Equal(0, other.Link(Lab.Interface, "generic")));
        _manager.Put(name, other.LinkDescriptor);
        using Daemon daemon = _manager.Start(_lab, new DaemonOptions());
        Assert.Equal("taken", daemon.Api.Get("/v1/status").Expect(200).Json.GetProperty("interfaces")[0].GetProperty("state").GetString());
        Eventually.Holds(() => _manager.Names.SequenceEqual(name == "couic.socket" ? [name] : Array.Empty<string>()), "ours leave the store");
    }

    /// <summary>Starts that end in each stage: the configuration, the maps and programs, the socket, the interfaces.</summary>
    private void FailToStart(DaemonOptions options)
    {
        Assert.Contains("nonsense", Fails(options with { Top = "nonsense = 1" }), StringComparison.Ordinal);
        Assert.Contains("CAP_PERFMON", Fails(options, "setpriv", "--bounding-set", "-perfmon,-sys_admin"), StringComparison.Ordinal);
        string socket = Path.Combine(_lab.Scratch[options.Name], "couic.sock");
        File.Delete(socket); // a killed daemon leaves it
        File.WriteAllText(socket, "");
        Assert.Contains("bind socket", Fails(options), StringComparison.Ordinal);
        File.Delete(socket);

        Assert.Contains("wg0", Fails(options with { Interfaces = [Lab.Interface, "wg0"], Top = "require_ifaces = true" }), StringComparison.Ordinal);
    }

    private string Fails(DaemonOptions options, params string[] wrapper)
    {
        using Process process = StartRaw(options, out Task<string> said, wrapper);
        Assert.True(process.WaitForExit(TimeSpan.FromSeconds(30)));
        Assert.NotEqual(0, process.ExitCode);
        return said.Result;
    }

    private Process StartRaw(DaemonOptions options, out Task<string> said, params string[] wrapper)
    {
        DaemonOptions offered = _manager.Offer(options, out InheritedDescriptors inherited);
        using (inherited)
        {
            string[] command = [.. offered.Launcher, .. wrapper, Product.Binary, "run", "-c", Daemon.Write(_lab.Scratch, offered)];
            ProcessStartInfo start = new(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardOutput = true };
            foreach ((string key, string value) in offered.Environment)
            {
                start.Environment[key] = value;
            }

            Process process = Shell.Start(_lab.Inside, start);
            said = process.StandardError.ReadToEndAsync();
            return process;
        }
    }

    private static void AwaitLine(Daemon daemon, string part) =>
        Eventually.Holds(() => daemon.Said.Contains(part, StringComparison.Ordinal), $"the log has \"{part}\"");

    private static string LinkId(int descriptor) =>
        File.ReadLines($"/proc/self/fdinfo/{descriptor}").First(l => l.StartsWith("link_id:", StringComparison.Ordinal))["link_id:".Length..].Trim();

    private void WriteSet(string policy, string name, string content)
    {
        Daemon.Write(_lab.Scratch, new DaemonOptions());
        foreach (string folder in (string[])["couic/state/sets", $"couic/state/sets/{policy}"])
        {
            _lab.Scratch.Folder(folder, Owner.Nobody);
        }

        _lab.Scratch.File($"couic/state/sets/{policy}/{name}.couic", content, OwnerOnly, Owner.Nobody);
    }
}
