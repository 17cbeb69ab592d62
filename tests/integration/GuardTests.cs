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
    public void OverTheApiItIsDoneWithAWarningUnlessItIsToBeRefused(string address, string role)
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
    public void ConfiguredToRefuseItIsForceThatDoesIt()
    {
        using Daemon daemon = Start("refuse");
        _ = daemon.Api.Post("/v1/drop", ApiClient.EntryBody("10.77.0.0/24")).Expect(422);
        Assert.True(_lab.Probe.Passes(Lab.OutsideV4));
        _ = daemon.Api.Post("/v1/drop?force=true", ApiClient.EntryBody("10.77.0.0/24")).Expect(201);
        Assert.False(_lab.Probe.Passes(Lab.OutsideV4));
    }

    [Fact]
    public void TurnedOffItSaysNothing()
    {
        using Daemon daemon = Start("off");
        Answer done = daemon.Api.Post("/v1/drop?guard=refuse", ApiClient.EntryBody($"{Lab.OutsideV4}/32")).Expect(201);
        Assert.False(done.Headers.ContainsKey("warning"));
    }

    [Fact]
    public void WhatIsIgnoredAnywayRaisesNoAlarm()
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

    [Fact]
    public void AnAttackerWhoIsOnlyConnectedIsBannedLikeAnyOther()
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

    private Daemon Start(string mode) => Daemon.Start(_lab, new DaemonOptions
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
