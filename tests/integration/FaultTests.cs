using System.Net.Sockets;
using System.Text;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>What happens to the machine around the daemon must not stop the filter nor lose a rule.</summary>
public sealed class FaultTests : IDisposable
{
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

    [Fact]
    public void AnInterfaceThatComesBackIsAttachedAgain()
    {
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", "198.51.100.7/32");
        _lab.Ip("link", "set", Lab.Interface, "down");
        _lab.Ip("link", "set", Lab.Interface, "up");
        Eventually.Holds(() => _lab.Attached().Length > 0, "still attached after down and up");
        _lab.RemakePair();
        Eventually.Holds(() => _lab.Attached().Length > 0, "attached again");
        using Probe probe = new(_lab.Inside, Lab.Interface, _lab.Outside, Lab.OuterInterface);
        Assert.Equal([false, true], probe.Passes(["198.51.100.7", "198.51.100.8"]));
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

    [Fact]
    public void ATakeoverOfTheInterfaceByForceIsRefusedByTheKernel()
    {
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", "198.51.100.7/32");
        Assert.NotEqual(0, Shell.Run(_lab.Inside, "ip", "link", "set", "dev", Lab.Interface, "xdpgeneric", "off").ExitCode);
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
    }

    [Fact]
    public void OutOfDescriptorsItGoesOnAndRecovers()
    {
        // Limits of another user's process take a capability that a test machine may not have.
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Owner = Owner.Root });
        daemon.Api.Add("drop", "198.51.100.7/32");
        int open = Directory.GetFiles($"/proc/{daemon.Process.Id}/fd").Length;
        Shell.Check(null, "prlimit", "--pid", $"{daemon.Process.Id}", $"--nofile={open + 4}:{open + 4}");
        List<Socket> greedy = [.. Enumerable.Range(0, 40).Select(_ => new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))];
        greedy.ForEach(s => s.Connect(new UnixDomainSocketEndPoint(daemon.Socket)));
        Assert.Equal([false, true], _lab.Probe.Passes(["198.51.100.7", "198.51.100.8"]));
        greedy.ForEach(s => s.Dispose());
        Eventually.Holds(() => AnswersANewClient(daemon), "a new client is answered");
        using ApiClient client = daemon.As(daemon.Token);
        client.Add("drop", "198.51.100.8/32");
        Assert.Equal([false, false], _lab.Probe.Passes(["198.51.100.7", "198.51.100.8"]));
        Assert.Equal(0, daemon.End());
    }

    [Fact]
    public void ManyIdleConnectionsDoNotKeepAnotherClientFromBeingAnswered()
    {
        using Daemon daemon = Daemon.Start(_lab);
        daemon.Api.Add("drop", "198.51.100.7/32");
        List<Socket> idle = [];
        try
        {
            for (int i = 0; i < 10_000; i++)
            {
                Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
                idle.Add(socket);
                try
                {
                    socket.Connect(new UnixDomainSocketEndPoint(daemon.Socket));
                    socket.Send(Encoding.ASCII.GetBytes("GET /v1/drop HTTP/1.1\r\nHost"));
                }
                catch (SocketException)
                {
                    // Refused at the daemon's limit: as good.
                }
            }

            Assert.Equal(200, daemon.Api.Get("/v1/drop").Status);
            Eventually.Holds(() => AnswersANewClient(daemon), "a new client is answered", 20);
        }
        finally
        {
            idle.ForEach(s => s.Dispose());
        }

        Assert.False(_lab.Probe.Passes("198.51.100.7"));
    }

    [Fact]
    public void AClientThatNeverReadsItsAnswersHarmsNobody()
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

    private static bool AnswersANewClient(Daemon daemon)
    {
        try
        {
            using ApiClient client = daemon.As(daemon.Token);
            return client.Get("/v1/drop").Status == 200;
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            return false;
        }
    }

    private static long ResidentBytes(Daemon daemon) =>
        long.Parse(File.ReadAllText($"/proc/{daemon.Process.Id}/statm").Split(' ')[1]) * 4096;
}
