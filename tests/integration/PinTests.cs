using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>The filter outlives the process on a BPF file system, and <c>couic detach</c> removes what a dead daemon left.</summary>
public sealed class PinTests : IDisposable
{
    private const string Listed = "198.51.100.7", Other = "192.0.2.1";

    private readonly Lab _lab = new();
    private readonly string _mount;

    public PinTests()
    {
        _mount = _lab.Scratch.Folder("bpf");
        Shell.Check(null, "mount", "-t", "bpf", "bpf", _mount);
        File.SetUnixFileMode(_mount, (UnixFileMode)0b111_000_000); // as /sys/fs/bpf is: the daemon's user cannot enter it
        foreach (string folder in (string[])["couic", "couic/state", "couic/state/sets", "couic/state/sets/drop"])
        {
            _lab.Scratch.Folder(folder, Owner.Nobody);
        }

        _lab.Scratch.File("couic/state/sets/drop/a.couic", "198.51.100.0/24\n", (UnixFileMode)0b110_000_000, Owner.Nobody);
    }

    private string Pin => Path.Combine(_mount, "couic");

    private string[] Pins => Directory.Exists(Pin) ? [.. Directory.GetFileSystemEntries(Pin).Select(p => Path.GetFileName(p)).Order()] : [];

    public void Dispose()
    {
        Shell.Run("umount", "--lazy", _mount);
        _lab.Dispose();
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void RestartsCrashesAndFailedStarts_AdmitNoListedPacket_AndLoseNoOther(string mode)
    {
        DaemonOptions options = Options(mode);
        Daemon daemon = Daemon.Start(_lab, options);
        string[] pins = Pins;
        Assert.Single(pins);
        using (Crossing crossing = new(_lab.Probe, [Listed, "198.51.100.9"], [Other, "2001:db8::1"]))
        {
            foreach (int signal in (int[])[Libc.SIGTERM, Libc.SIGKILL, Libc.SIGTERM, Libc.SIGKILL])
            {
                daemon.End(signal);
                daemon.Dispose();
                Assert.Contains("nonsense", Fails(options with { Top = "nonsense = 1" }), StringComparison.Ordinal);
                Assert.Contains("wg0", Fails(options with { Interfaces = [Lab.Interface, "wg0"], Top = "require_ifaces = true" }), StringComparison.Ordinal);
                daemon = Daemon.Start(_lab, options);
                AwaitLine(daemon, "interfaces taken over without a gap: 1,");
                Assert.Equal(pins, Pins);
            }

            long sent = crossing.Sent;
            Eventually.Holds(() => crossing.Sent > sent + 100, "packets are sent after the last restart");
            Assert.Equal((0, 0), crossing.Errors);
        }

        Assert.Equal(0, daemon.End(Libc.SIGINT));
        daemon.Dispose();
        Assert.Equal("", _lab.Attached());
        Assert.Empty(Pins);
    }

    [Fact]
    public void InterfacesThatComeAndGo_ArePinnedAndUnpinned()
    {
        DaemonOptions options = Options() with { Interfaces = [Lab.Interface, "late0"] };
        using (Daemon daemon = Daemon.Start(_lab, options))
        {
            _lab.Ip("link", "add", "late0", "type", "veth", "peer", "name", "late1");
            Eventually.Holds(() => Pins.Length == 2, "it is pinned");
            _lab.Ip("link", "delete", "late0");
            Eventually.Holds(() => Pins.Length == 1, "and unpinned");
            _lab.Ip("link", "add", "late0", "type", "veth", "peer", "name", "late1");
            Eventually.Holds(() => Pins.Length == 2, "and pinned again");
            daemon.End(Libc.SIGKILL);
        }

        _lab.Ip("link", "delete", "late0");
        using Daemon next = Daemon.Start(_lab, options);
        Assert.Single(Pins);
    }

    [Fact]
    public void Detach_RemovesWhatADeadDaemonLeft_AndNothingOfARunningOne()
    {
        string config;
        using (Daemon daemon = Daemon.Start(_lab, Options()))
        {
            config = daemon.Config;
            Shell.Result refused = Detach(config);
            Assert.Equal((1, true), (refused.ExitCode, refused.Error.Contains("a running daemon has it", StringComparison.Ordinal)));
            Assert.False(_lab.Probe.Passes(Listed));
            daemon.End(Libc.SIGKILL);
        }

        Assert.False(_lab.Probe.Passes(Listed));
        Eventually.Holds(() => Detach(config) is { ExitCode: 0, Out: "cin: detached\n" }, "it is detached once the attacher has ended");
        Assert.True(_lab.Probe.Passes(Listed));
        Assert.Empty(Pins);
        Shell.Result again = Detach(config);
        Assert.Equal((0, "nothing to detach\n"), (again.ExitCode, again.Out));
    }

    [Fact]
    public void Detach_FindsPinsThatTheConfigurationDoesNotName_AndLeavesRunningDaemonsAndOthersAlone()
    {
        Assert.SkipWhen(new FileInfo("/proc/self/ns/pid").LinkTarget != "pid:[4026531836]", "the owners of links are visible in the first PID namespace only");
        using (Daemon daemon = Daemon.Start(_lab, Options()))
        {
            daemon.End(Libc.SIGKILL);
        }

        _lab.Ip("link", "add", "own0", "type", "veth", "peer", "name", "own1");
        _lab.Ip("link", "add", "for0", "type", "veth", "peer", "name", "for1");
        using ForeignProgram foreign = new();
        _lab.Inside.Do(() => Assert.Equal(0, foreign.Link("for0", "generic")));
        using Daemon running = Daemon.Start(_lab, new DaemonOptions { Name = "second", Interfaces = ["own0"] });
        Shell.Result detached = Detach(running.Config);
        Assert.Equal("cin: detached\n", detached.Out);
        Assert.Matches("^couic: own0: left alone \\(process [0-9]+ holds it: stop that daemon\\)\n$", detached.Error);
        Assert.Equal(1, detached.ExitCode);
        Assert.Equal("", _lab.Attached());
        Assert.NotEqual("", _lab.Attached("own0"));
        Assert.NotEqual("", _lab.Attached("for0"));
    }

    [Fact]
    public void AFolderThatIsNotOnlyOurs_IsRefused()
    {
        string plain = _lab.Scratch.Folder("plain");
        Assert.Contains("is not on a BPF file system", Fails(Options() with { Tables = $"[daemon]\npin = \"{plain}/couic\"" }), StringComparison.Ordinal);

        Directory.CreateDirectory(Pin);
        File.SetUnixFileMode(Pin, (UnixFileMode)0b111_111_111);
        Assert.Contains("others may write to it", Fails(Options()), StringComparison.Ordinal);

        File.SetUnixFileMode(Pin, (UnixFileMode)0b111_000_000);
        using ForeignProgram foreign = new();
        string file = ForeignProgram.Compile(_lab.Scratch);
        Shell.Check(null, "bpftool", "prog", "load", file, Path.Combine(Pin, "foreign"), "type", "xdp");
        Assert.Contains("\"foreign\" is not a link of couic", Fails(Options()), StringComparison.Ordinal);
        File.Delete(Path.Combine(Pin, "foreign"));

        _lab.Inside.Do(() => Assert.Equal(0, foreign.Link(Lab.Interface, "generic")));
        string id = File.ReadLines($"/proc/self/fdinfo/{foreign.LinkDescriptor}").First(l => l.StartsWith("link_id:", StringComparison.Ordinal))["link_id:".Length..].Trim();
        Shell.Check(null, "bpftool", "link", "pin", "id", id, Path.Combine(Pin, $"couic-link-{id}"));
        Assert.Contains($"\"couic-link-{id}\" is not a link of couic", Fails(Options()), StringComparison.Ordinal);
        Shell.Result detach = Detach(_lab.Scratch["couic/couic.toml"]);
        Assert.Equal(1, detach.ExitCode);
        Assert.NotEqual("", _lab.Attached());
    }

    private DaemonOptions Options(string mode = "generic") => new() { Mode = mode, Tables = $"[daemon]\npin = \"{Pin}\"" };

    private Shell.Result Detach(string config) => Product.Run(_lab.Inside, "detach", "-c", config);

    private string Fails(DaemonOptions options)
    {
        Shell.Result result = Product.Run(_lab.Inside, "run", "-c", Daemon.Write(_lab.Scratch, options));
        Assert.NotEqual(0, result.ExitCode);
        return result.Error;
    }

    private static void AwaitLine(Daemon daemon, string part) =>
        Eventually.Holds(() => daemon.Said.Contains(part, StringComparison.Ordinal), $"the log has \"{part}\"");
}
