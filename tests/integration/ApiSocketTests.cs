using System.Diagnostics;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Who may connect to the API: root, the daemon's user and its group, by the mode of the socket.</summary>
public sealed class ApiSocketTests : IDisposable
{
    private const uint Stranger = 4242;
    private readonly Lab _lab = new();

    public void Dispose() => _lab.Dispose();

    [Fact]
    public void TheSocket_BelongsToTheConfiguredUserAndGroup_WithMode770()
    {
        Owner owner = Owner.Nobody with { Group = "daemon", Gid = Owner.GidOf("daemon") };
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Owner = owner });
        Assert.Equal($"nobody daemon 770\n", Shell.Check(null, "stat", "-c", "%U %G %a", daemon.Socket));
    }

    [Fact]
    public void AnotherUser_CannotConnect_UnlessInTheGroup()
    {
        using Daemon daemon = Daemon.Start(_lab);
        Assert.Equal("200", Connect(daemon, Owner.Nobody.Uid, Stranger));
        Assert.Equal("200", Connect(daemon, Stranger, Owner.Nobody.Gid));
        Assert.Equal("no connection", Connect(daemon, Stranger, Stranger));
    }

    /// <summary>The status of the response to a user without capabilities and supplementary groups.</summary>
    private string Connect(Daemon daemon, uint user, uint group)
    {
        ProcessStartInfo start = new("setpriv", [
            $"--reuid={user}", $"--regid={group}", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
            "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", $"Authorization: Bearer {daemon.Token}", "--unix-socket", daemon.Socket, "http://couic/v1/drop"]);
        Shell.Result result = Shell.Run(_lab.Inside, start);
        return result.ExitCode == 0 ? result.Out : result.Error.Contains("connect", StringComparison.Ordinal) ? "no connection" : result.All;
    }
}
