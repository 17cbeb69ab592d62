using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Name servers that take questions and never answer.</summary>
public sealed class NameServerTests : IDisposable
{
    /// <summary>TasksMax of couic.service.</summary>
    private const int TasksMax = 64;

    private readonly Lab _lab = new();
    private readonly TaskLimit _limit = new(TasksMax);
    private readonly List<Socket> _swallowing = [];

    public NameServerTests() => _lab.Outside.Do(() =>
    {
        foreach (string address in (string[])[Lab.OutsideV4, Lab.OutsideV6])
        {
            var socket = new Socket(IPAddress.Parse(address).AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(new IPEndPoint(IPAddress.Parse(address), 53));
            _swallowing.Add(socket);
        }
    });

    public void Dispose()
    {
        _swallowing.ForEach(socket => socket.Dispose());
        _lab.Dispose();
        _limit.Dispose();
    }

    [Theory]
    [InlineData(16, 70)]
    [InlineData(3, 65)]
    public void WithDeadNameServers_AndPeersByName_FilterAndApiGoOnUnderTasksMax(int peers, int seconds)
    {
        using Daemon daemon = Start(peers);
        daemon.Api.Add("drop", "198.51.100.7/32");
        long start = Stopwatch.GetTimestamp();
        int most = 0;
        TimeSpan slowest = default;
        while (Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(seconds))
        {
            Thread.Sleep(250);
            Assert.False(daemon.Process.HasExited, daemon.Said);
            most = Math.Max(most, _limit.Count);
            long asked = Stopwatch.GetTimestamp();
            daemon.Api.Get("/v1/stats").Expect(200);
            daemon.Api.Get("/v1/peers").Expect(200);
            TimeSpan took = Stopwatch.GetElapsedTime(asked);
            slowest = took > slowest ? took : slowest;
        }

        // 34 of the daemon and those of the attacher.
        Assert.InRange(most, 1, 48);
        Assert.True(slowest < TimeSpan.FromSeconds(2), $"the slowest answer took {slowest.TotalSeconds:0.0} s");
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
        JsonElement peer = JsonDocument.Parse(daemon.Api.Get("/v1/peers").Body).RootElement[0];
        Assert.Equal("cannot resolve \"node1\": name servers do not answer", peer.GetProperty("last_error").GetString());
        Assert.Equal(0, daemon.End());
    }

    private Daemon Start(int peers)
    {
        string servers = _lab.Scratch.File("resolv.conf", $"nameserver {Lab.OutsideV4}\nnameserver {Lab.OutsideV6}\nsearch couic.test\n");
        string[] tables =
        [
            "[peering]\nenabled = true\n",
            .. Enumerable.Range(1, peers).Select(i => $"[[peering.peers]]\nhost = \"node{i}\"\nport = 2900\ntoken = \"{Guid.NewGuid()}\"\n"),
            "[reporting]\nenabled = true\nwebhook = \"http://hooks/x\"\n",
        ];
        string script = $"mount --bind {servers} /etc/resolv.conf && echo $$ > {_limit.Members} && exec \"$@\"";
        return Daemon.Start(_lab, new DaemonOptions
        {
            Tables = string.Join('\n', tables),
            Launcher = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"],
        });
    }
}
