using System.Net;
using System.Net.Sockets;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>A drop that would cut off the operator: here the default gateway, a peer and the address of the operator's own session.</summary>
public sealed class GuardTests : IDisposable
{
    private const string Peer = "10.77.0.9";
    private readonly Lab _lab = new();

    public GuardTests() => _lab.Ip("route", "add", "default", "via", Lab.OutsideV4);

    public void Dispose() => _lab.Dispose();

    [Theory]
    [InlineData(Lab.OutsideV4, "gateway")]
    [InlineData(Peer, "peer")]
    public void OverTheApi_ADropOfAProtectedAddress_Warns_OrIsRefusedOnRequest(string address, string role)
    {
        using Daemon daemon = Start("");
        Answer refused = daemon.Api.Post("/v1/drop?guard=refuse", ApiClient.EntryBody($"{address}/32")).Expect(422);
        Assert.Contains(role, refused.Body, StringComparison.Ordinal);
        Answer done = daemon.Api.Post("/v1/drop", ApiClient.EntryBody($"{address}/32")).Expect(201);
        Assert.Contains(role, done.Headers["warning"], StringComparison.Ordinal);
        Assert.False(_lab.Probe.Passes(address));
        Eventually.Holds(() => daemon.Said.Contains("event=entry_may_lock_out", StringComparison.Ordinal), "the log warns");
    }

    [Fact]
    public void InModeRefuse_OnlyForceDropsAProtectedAddress()
    {
        using Daemon daemon = Start("refuse");
        _ = daemon.Api.Post("/v1/drop", ApiClient.EntryBody("10.77.0.0/24")).Expect(422);
        Assert.True(_lab.Probe.Passes(Lab.OutsideV4));
        _ = daemon.Api.Post("/v1/drop?force=true", ApiClient.EntryBody("10.77.0.0/24")).Expect(201);
        Assert.False(_lab.Probe.Passes(Lab.OutsideV4));
    }

    [Fact]
    public void InModeOff_NothingIsSaid()
    {
        using Daemon daemon = Start("off");
        Answer done = daemon.Api.Post("/v1/drop?guard=refuse", ApiClient.EntryBody($"{Lab.OutsideV4}/32")).Expect(201);
        Assert.False(done.Headers.ContainsKey("warning"));
    }

    [Fact]
    public void AnIgnoredAddress_RaisesNoWarning()
    {
        using Daemon daemon = Start("refuse");
        daemon.Api.Add("ignore", $"{Lab.OutsideV4}/32");
        daemon.Api.Add("ignore", $"{Peer}/32");
        Answer done = daemon.Api.Add("drop", "10.77.0.0/24");
        Assert.False(done.Headers.ContainsKey("warning"));
        Assert.Equal([true, false], _lab.Probe.Passes([Lab.OutsideV4, "10.77.0.3"]));
    }

    [Fact]
    public void CouicctlRefusesUnlessForcedAndSaysHowToIgnore()
    {
        using Daemon daemon = Start("");
        Shell.Result refused = daemon.Ctl("drop", "add", $"{Lab.OutsideV4}/32");
        Assert.NotEqual(0, refused.ExitCode);
        Assert.Contains("gateway", refused.Error, StringComparison.Ordinal);
        Assert.Contains("ignore", refused.Error, StringComparison.Ordinal);
        Assert.True(_lab.Probe.Passes(Lab.OutsideV4));
        Assert.Equal(0, daemon.Ctl("drop", "add", $"{Lab.OutsideV4}/32", "--force").ExitCode);
        Assert.False(_lab.Probe.Passes(Lab.OutsideV4));
    }

    [Fact]
    public void CouicctlRefusesTheAddressOfItsOwnSession()
    {
        using Daemon daemon = Start("");
        Environment.SetEnvironmentVariable("SSH_CONNECTION", "198.51.100.7 50000 10.77.0.1 22");
        try
        {
            Shell.Result refused = daemon.Ctl("drop", "add", "198.51.100.0/24");
            Assert.NotEqual(0, refused.ExitCode);
            Assert.Contains("couicctl ignore add 198.51.100.7", refused.Error, StringComparison.Ordinal);
            Assert.Equal(0, daemon.Ctl("drop", "add", "203.0.113.0/24").ExitCode);
            Assert.Equal(0, daemon.Ctl("ignore", "add", "198.51.100.7").ExitCode);
            Assert.Equal(0, daemon.Ctl("drop", "add", "198.51.100.0/24").ExitCode);
        }
        finally
        {
            Environment.SetEnvironmentVariable("SSH_CONNECTION", null);
        }

        Assert.Equal([true, false], _lab.Probe.Passes(["198.51.100.7", "198.51.100.8"]));
    }

    /// <summary>The unit sets ProcSubset=pid: of /proc only the folders of processes are there.</summary>
    [Fact]
    public void TheGateway_IsKnownWithoutProcNet()
    {
        using Daemon daemon = Start("", new DaemonOptions { Launcher = ["unshare", "--mount", "sh", "-c", "mount -t proc -o subset=pid proc /proc && test ! -e /proc/net/route && exec \"$0\" \"$@\""] });
        Answer refused = daemon.Api.Post("/v1/drop?guard=refuse", ApiClient.EntryBody("10.77.0.0/24")).Expect(422);
        Assert.Contains("the default gateway", refused.Body, StringComparison.Ordinal);
        Assert.Empty(daemon.Api.Get("/v1/status").Expect(200).Json.GetProperty("guard").GetProperty("unreadable").EnumerateArray());
    }

    [Fact]
    public void CouicctlRefusesEveryWayIn_UnlessForced()
    {
        using Daemon daemon = Start("");
        string list = _lab.Scratch.File("bogons.txt", "10.77.0.0/16\n0.0.0.0/0\n203.0.113.0/24\n");
        Shell.Result import = daemon.Ctl("drop", "import", list, "--dry-run");
        Assert.Equal((1, "Dry run, drop would have: 1 created, 0 updated, 0 unchanged, 2 rejected\n"), (import.ExitCode, import.Out));
        import = daemon.Ctl("drop", "import", list);
        Assert.Equal((1, "Imported into drop: 1 created, 0 updated, 0 unchanged, 2 rejected\n"), (import.ExitCode, import.Out));
        Assert.Contains("10.77.0.", import.Error, StringComparison.Ordinal);
        Assert.Equal(4, daemon.Ctl("sets", "create", "drop", "bogons", "--from-file", list).ExitCode);
        Assert.Equal(4, daemon.Ctl("sets", "create", "drop", "bogons", "10.77.0.0/16").ExitCode);
        Shell.Result forced = daemon.Ctl("sets", "create", "drop", "bogons", "10.77.0.0/16", "--force");
        Assert.Equal(0, forced.ExitCode);
        Assert.Contains("couicctl: note: ", forced.Error, StringComparison.Ordinal);
        Shell.Result reload = daemon.Ctl("sets", "reload");
        Assert.Equal(4, reload.ExitCode);
        Assert.Contains("10.77.0.0/16 of set bogons.couic covers 10.77.0.", reload.Error, StringComparison.Ordinal);
        Assert.Equal(4, daemon.Ctl("reload").ExitCode);
        Assert.True(_lab.Probe.Passes(Lab.OutsideV4));
        Assert.Equal(0, daemon.Ctl("ignore", "add", "10.77.0.0/24").ExitCode);
        Assert.Equal(0, daemon.Ctl("sets", "reload").ExitCode);
        Assert.Equal(4, daemon.Ctl("ignore", "delete", "10.77.0.0/24").ExitCode);
        Assert.True(_lab.Probe.Passes(Lab.OutsideV4));
        Assert.Equal(0, daemon.Ctl("ignore", "delete", "10.77.0.0/24", "--force").ExitCode);
        Assert.False(_lab.Probe.Passes(Lab.OutsideV4));
        Eventually.Holds(() => daemon.Said.Contains("event=locked_out", StringComparison.Ordinal), "the log says who is locked out");
        Assert.Contains("LOCKED OUT", daemon.Ctl("status").Out, StringComparison.Ordinal);
    }

    /// <summary>Time ends the protection without asking.</summary>
    [Fact]
    public void WhenTheProtectingEntryExpires_TheLogAndTheStatusSaySo()
    {
        using Daemon daemon = Start("refuse");
        long soon = DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 2;
        daemon.Api.Post("/v1/ignore", $$"""{"cidr":"10.77.0.0/24","expiration":{{soon}}}""").Expect(201);
        daemon.Api.Add("drop", "10.77.0.0/16");
        Eventually.Holds(() => daemon.Said.Contains("event=locked_out", StringComparison.Ordinal), "the log says who is locked out");
        string[] lockedOut = [.. daemon.Api.Get("/v1/status").Expect(200).Json.GetProperty("guard").GetProperty("lockout").EnumerateArray().Select(l => l.GetProperty("address").GetString()!)];
        Assert.Equal([Lab.OutsideV4, Peer], lockedOut.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("refuse", true)]
    [InlineData("warn", false)]
    public void AtTheStart_ASetThatLocksOut_IsLeftOutWhereTheModeRefuses(string mode, bool passes)
    {
        using (Daemon first = Start(mode))
        {
            first.Api.Post("/v1/sets/drop?force=true", """{"name":"bogons","entries":["10.77.0.0/16","203.0.113.0/24"]}""").Expect(201);
            first.End();
        }

        using Daemon daemon = Start(mode);
        Assert.Equal([passes, false], _lab.Probe.Passes([Lab.OutsideV4, "203.0.113.9"]));
        Assert.Contains(passes ? "event=set_entry_left_out" : "event=sets_warning", daemon.Said, StringComparison.Ordinal);
        Assert.Equal(passes ? 1 : 0, daemon.Api.Get("/v1/status").Expect(200).Json.GetProperty("guard").GetProperty("withheld").GetArrayLength());
    }

    [Theory]
    [InlineData("")]
    [InlineData("10.66.0.0/24\n")]
    public void ASetWhoseDownloadFailed_KeepsItsOldEntries(string left)
    {
        using Daemon daemon = Start("");
        string entries = string.Join(',', Enumerable.Range(0, 20).Select(i => $"\"10.66.{i}.0/24\""));
        daemon.Api.Post("/v1/sets/drop", $$"""{"name":"feed","entries":[{{entries}}]}""").Expect(201);
        Assert.Equal(0, daemon.Ctl("sets", "reload").ExitCode);
        string file = Directory.GetFiles(_lab.Scratch.Root, "feed.couic", SearchOption.AllDirectories).Single();
        File.WriteAllText(file, left);
        Shell.Result reload = daemon.Ctl("sets", "reload");
        Assert.Equal(4, reload.ExitCode);
        Assert.Contains("set feed.couic of drop has", reload.Error, StringComparison.Ordinal);
        Assert.False(_lab.Probe.Passes("10.66.19.1"));
        Answer done = daemon.Api.Post("/v1/sets/reload", "").Expect(201);
        Assert.Contains("(is the file cut off?)", done.Headers["warning"], StringComparison.Ordinal);
    }

    [Fact]
    public void AConnectedAttacker_IsNotProtected()
    {
        _lab.Ip("route", "del", "default");
        using Daemon daemon = Start("refuse");
        using TcpListener ssh = _lab.Inside.Do(() =>
        {
            TcpListener listener = new(IPAddress.Parse(Lab.InsideV4), 22);
            listener.Start();
            return listener;
        });
        using TcpClient attacker = _lab.Outside.Do(() => new TcpClient(Lab.InsideV4, 22));
        Assert.Equal(0, daemon.Ctl("drop", "add", $"{Lab.OutsideV4}/32").ExitCode);
        Assert.False(_lab.Probe.Passes(Lab.OutsideV4));
    }

    private Daemon Start(string mode, DaemonOptions? options = null) => Daemon.Start(_lab, (options ?? new DaemonOptions()) with
    {
        Tables = $"""
            {(mode.Length == 0 ? "" : $"[guard]\nmode = \"{mode}\"")}
            [peering]
            enabled = true
            [[peering.peers]]
            host = "{Peer}"
            port = 2900
            tls = false
            token = "bbfa1388-3218-463c-9722-6805507c14bb"
            """,
    });
}
