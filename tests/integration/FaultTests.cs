using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>What happens to the machine around the daemon must not stop the filter nor lose a rule.</summary>
public sealed class FaultTests : IDisposable
{
    /// <summary>The first and the third are dropped by the tests that use them.</summary>
    private static readonly string[] Sources = ["198.51.100.7", "198.51.100.8", "2001:db8::7", "2001:db8::8"];

    private readonly Lab _lab = new();

    [Fact]
    public void KilledInTheMiddleOfWritesItStartsAgainAtOnce()
    {
        using (Daemon first = Daemon.Start(_lab))
        {
            using ApiClient writer = first.As(first.Token);
            string[] requests = [
                .. Enumerable.Range(0, 20_000).Select(i => writer.Text("POST", "/v1/drop", ApiClient.EntryBody($"10.2.{i / 256}.{i % 256}/32")))];
            Task writing = Task.Run(() => Record.Exception(() => writer.Pipeline(requests)));
            Eventually.Holds(() => Stats.Count(first, "drop") > 100, "writes are under way");
            first.End(Libc.SIGKILL);
            writing.Wait(TestContext.Current.CancellationToken);
        }

        using Daemon second = Daemon.Start(_lab);
        second.Api.Add("drop", "198.51.100.7/32");
        Assert.Equal([false, true], _lab.Probe.Passes(["198.51.100.7", "10.2.0.1"]));
    }

    [Fact]
    public void WhatWasAnsweredUnderLoadIsInForceAfterSighupAndNothingElse()
    {
        using Daemon daemon = Daemon.Start(_lab);
        using ApiClient writer = daemon.As(daemon.Token);
        string[] requests = [
            .. Enumerable.Range(0, 5000).Select(i => writer.Text("POST", "/v1/drop", ApiClient.EntryBody($"10.2.{i / 256}.{i % 256}/32")))];
        Task<int[]> writing = Task.Run(() => writer.Pipeline(requests));
        for (int i = 0; i < 5; i++)
        {
            daemon.Signal(Libc.SIGHUP);
            Thread.Sleep(20);
        }

        writing.Wait(TestContext.Current.CancellationToken);
        Assert.All(writing.Result, status => Assert.Equal(201, status));
        Assert.Equal(5000, Stats.Count(daemon, "drop"));
        Assert.All(_lab.Probe.Passes(Enumerable.Range(0, 5000).Select(i => $"10.2.{i / 256}.{i % 256}")), arrived => Assert.False(arrived));
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void AnInterfaceThatGoesDownAndUp_OrIsDeletedAndCreatedAgain_IsFiltered(string mode)
    {
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Mode = mode });
        daemon.Api.Add("drop", "198.51.100.7/32");
        daemon.Api.Add("drop", "2001:db8::7/128");
        string program = _lab.Program();
        _lab.Ip("link", "set", Lab.Interface, "down");
        _lab.Ip("link", "set", Lab.Interface, "up");
        Assert.Equal([false, true, false, true], _lab.Probe.Passes(Sources));
        Assert.Equal(program, _lab.Program());

        _lab.RemakePair();
        Eventually.Holds(() => _lab.Attached().Length > 0, "attached again", seconds: 2);
        using Probe probe = new(_lab.Inside, Lab.Interface, _lab.Outside, Lab.OuterInterface);
        Assert.Equal([false, true, false, true], probe.Passes(Sources));
        Assert.Equal(0, daemon.End());
        Assert.Equal("", _lab.Attached());
    }

    [Fact]
    public void AnInterfaceThatIsRenamedStaysFiltered()
    {
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", "198.51.100.7/32");
        foreach ((string from, string to) in new[] { (Lab.Interface, "renamed"), ("renamed", Lab.Interface) })
        {
            _lab.Ip("link", "set", from, "down");
            _lab.Ip("link", "set", from, "name", to);
            _lab.Ip("link", "set", to, "up");
            using Probe probe = new(_lab.Inside, to, _lab.Outside, Lab.OuterInterface);
            Assert.Equal([false, true], probe.Passes(["198.51.100.7", "198.51.100.8"]));
        }

        Assert.Equal(0, daemon.End());
        Assert.Equal("", _lab.Attached());
    }

    [Theory]
    [InlineData("generic", "xdpgeneric", "xdpdrv")]
    [InlineData("native", "xdpdrv", "xdpgeneric")]
    public void AnotherProgramByForce_IsRefusedByTheKernel_AndTheFilterStays(string mode, string same, string other)
    {
        string foreign = ForeignProgram.Compile(_lab.Scratch);
        string[][] takeovers =
        [
            ["ip", "link", "set", "dev", Lab.Interface, same, "off"],
            ["ip", "link", "set", "dev", Lab.Interface, same, "obj", foreign, "sec", "xdp"],
            ["ip", "-force", "link", "set", "dev", Lab.Interface, same, "obj", foreign, "sec", "xdp"],
            ["ip", "-force", "link", "set", "dev", Lab.Interface, other, "obj", foreign, "sec", "xdp"],
        ];
        using ForeignProgram loaded = new();
        using (Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Mode = mode }))
        {
            daemon.Api.Add("drop", "198.51.100.7/32");
            daemon.Api.Add("drop", "2001:db8::7/128");
            string program = _lab.Program();
            foreach (string[] takeover in takeovers)
            {
                Shell.Result refused = Shell.Run(_lab.Inside, takeover[0], takeover[1..]);
                Assert.Matches("active BPF XDP link|can't be active at the same time|already attached", refused.All);
                Assert.NotEqual(0, refused.ExitCode);
            }

            Assert.Equal(Libc.EBUSY, _lab.Inside.Do(() => loaded.Link(Lab.Interface, mode)));
            Assert.Equal(program, _lab.Program());
            Assert.Equal([false, true, false, true], _lab.Probe.Passes(Sources));
            Assert.Equal("attached", daemon.Api.Get("/v1/status").Json.GetProperty("interfaces")[0].GetProperty("state").GetString());
            Assert.Equal(0, daemon.End());
        }

        // Without the daemon each of them succeeds, so it was the daemon's link that kept them out.
        Assert.All(takeovers[2..3], takeover => Assert.Equal(0, Shell.Run(_lab.Inside, takeover[0], takeover[1..]).ExitCode));
        Shell.Check(_lab.Inside, "ip", "link", "set", "dev", Lab.Interface, same, "off");
        Assert.Equal(0, _lab.Inside.Do(() => loaded.Link(Lab.Interface, mode)));
    }

    [Fact]
    public void OutOfDescriptors_IdleClientsAreEvicted_NewOnesAreServed_AndABusyOneStays()
    {
        const int Greedy = 200, Spare = 64;

        // Limits of another user's process take a capability that a test machine may not have.
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Owner = Owner.Root });
        daemon.Api.Add("drop", "198.51.100.7/32");
        using BusyClient busy = new(daemon);
        int open = Directory.GetFiles($"/proc/{daemon.Process.Id}/fd").Length;
        Shell.Check(null, "prlimit", "--pid", $"{daemon.Process.Id}", $"--nofile={open + Spare}:{open + Spare}");
        using (OtherProcess greedy = OtherProcess.Connect(daemon, Greedy))
        {
            Eventually.Holds(() => daemon.Said.Contains("event=api_accept_failed", StringComparison.Ordinal), "descriptors have run out");
            TimeSpan before = Processes.CpuTime(daemon.Process.Id);
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < 5; i++)
            {
                AssertAnswersANewClient(daemon, within: TimeSpan.FromSeconds(5));
            }

            Assert.Equal([false, true], _lab.Probe.Passes(["198.51.100.7", "198.51.100.8"]));
            Assert.True(greedy.Lost() > Greedy / 2, "idle connections were evicted");
            Thread.Sleep(1000);
            Assert.InRange((Processes.CpuTime(daemon.Process.Id) - before) / Stopwatch.GetElapsedTime(start), 0, 0.5);
        }

        busy.AssertWasServed();
        AssertAnswersANewClient(daemon, within: TimeSpan.FromSeconds(5));
        daemon.Api.Add("drop", "198.51.100.8/32");
        Assert.Equal([false, false], _lab.Probe.Passes(["198.51.100.7", "198.51.100.8"]));
        Assert.Equal(0, daemon.End());
    }

    [Fact]
    public void OutOfConnections_AnotherClientIsAnswered()
    {
        const int Most = 2_000;
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Tables = $"[limits]\nmax_connections = {Most}" });
        daemon.Api.Add("drop", "198.51.100.7/32");
        int before = Directory.GetFiles($"/proc/{daemon.Process.Id}/fd").Length;
        using BusyClient busy = new(daemon);
        using OtherProcess greedy = OtherProcess.Connect(daemon, 2 * Most);
        Eventually.Holds(() => greedy.Lost() >= Most, "the rest has lost its place");
        Assert.InRange(Directory.GetFiles($"/proc/{daemon.Process.Id}/fd").Length - before, Most - 5, Most + 5);
        Assert.Contains("event=api_connections_full", daemon.Said, StringComparison.Ordinal);
        for (int i = 0; i < 20; i++)
        {
            AssertAnswersANewClient(daemon, within: TimeSpan.FromSeconds(1));
        }

        busy.AssertWasServed();
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
    }

    [Fact]
    public void AClientThatReadsNoAnswers_CostsBoundedMemory_AndOthersAreServed()
    {
        using Daemon daemon = Daemon.Start(_lab);
        string[] fill = [.. Enumerable.Range(0, 10_000).Select(i => daemon.Api.Text("POST", "/v1/drop", ApiClient.EntryBody($"10.2.{i / 256}.{i % 256}/32")))];
        daemon.Api.Pipeline(fill);
        using Socket deaf = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        deaf.Connect(new UnixDomainSocketEndPoint(daemon.Socket));
        deaf.Blocking = false;
        byte[] request = Encoding.ASCII.GetBytes(daemon.Api.Text("GET", "/v1/drop"));
        long before = ResidentBytes(daemon);
        try
        {
            for (int i = 0; i < 2000; i++)
            {
                deaf.Send(request);
            }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.WouldBlock)
        {
            // The daemon reads no further while its answers are not read.
        }

        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(200, daemon.Api.Get("/v1/drop/10.2.0.1/32").Status);
        }

        Assert.True(ResidentBytes(daemon) - before < 64 << 20);
    }

    [Fact]
    public void ALogFolderThatVanishesCostsLogLinesOnly()
    {
        string logs = _lab.Scratch.Folder("logs", Owner.Nobody);
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { LogDirectory = logs });
        daemon.Api.Add("drop", "198.51.100.7/32", "logged");
        Eventually.Holds(
            () => Directory.GetFiles(logs).Any(f => File.ReadAllText(f).Contains("198.51.100.7/32", StringComparison.Ordinal)), "the audit line is there");
        Assert.DoesNotContain(daemon.Token, string.Concat(Directory.GetFiles(logs).Select(File.ReadAllText)), StringComparison.Ordinal);
        Directory.Delete(logs, recursive: true);
        daemon.Api.Add("drop", "198.51.100.8/32");
        Assert.Equal([false, false], _lab.Probe.Passes(["198.51.100.7", "198.51.100.8"]));
        Assert.Equal(0, daemon.End());
    }

    [Fact]
    public void TheReloadNamesWhatNeedsARestartAndABadConfigurationChangesNothing()
    {
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", "198.51.100.7/32");
        string text = File.ReadAllText(daemon.Config);
        File.WriteAllText(daemon.Config, text.Replace("\"generic\"", "\"native\"", StringComparison.Ordinal));
        daemon.Signal(Libc.SIGHUP);
        Eventually.Holds(() => daemon.Said.Contains("operation_mode", StringComparison.Ordinal), "the log names operation_mode");
        Assert.StartsWith("xdpgeneric", _lab.Attached(), StringComparison.Ordinal);
        File.WriteAllText(daemon.Config, "ifaces = [");
        daemon.Signal(Libc.SIGHUP);
        Eventually.Holds(() => daemon.Said.Contains("couic.toml:1:", StringComparison.Ordinal), "the log names the fault");
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
        Assert.Equal(200, daemon.Api.Get("/v1/drop").Status);
    }

    public void Dispose() => _lab.Dispose();

    private static void AssertAnswersANewClient(Daemon daemon, TimeSpan within)
    {
        long start = Stopwatch.GetTimestamp();
        using ApiClient client = daemon.As(daemon.Token);
        client.Get("/v1/drop").Expect(200);
        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, within);
    }

    private static long ResidentBytes(Daemon daemon) =>
        long.Parse(File.ReadAllText($"/proc/{daemon.Process.Id}/statm").Split(' ')[1]) * 4096;
}
