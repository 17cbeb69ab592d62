using System.Diagnostics;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>The first run of a newcomer: no configuration file, the loopback interface, everything under ./run.</summary>
public sealed class DefaultRunTests
{
    [Fact]
    public void WithoutAConfigurationItFiltersTheLoopbackInterface()
    {
        using NetSpace space = new();
        using Scratch scratch = new();
        ProcessStartInfo start = Product.Info("run");
        start.WorkingDirectory = scratch.Root;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        using Process daemon = Shell.Start(space, start);
        try
        {
            string? socket = null;
            Eventually.Holds(() => daemon.HasExited || (socket = Find(scratch, "*.sock")) != null, "the socket is there");
            Assert.False(daemon.HasExited, daemon.HasExited ? daemon.StandardError.ReadToEnd() : "");
            Eventually.Holds(() => Ping(space) && Shell.Check(space, "ip", "link", "show", "lo").Contains("xdp", StringComparison.Ordinal), "attached to lo");
            string token = File.ReadAllText(Find(scratch, "couicctl.toml", "clients")!).Split('"')[1];
            using ApiClient api = new(socket!, token);
            api.Add("drop", "127.0.0.9/32");
            Assert.False(Ping(space));
            api.Add("ignore", "127.0.0.8/30");
            Assert.True(Ping(space));
            api.Remove("ignore", "127.0.0.8/30");
            api.Remove("drop", "127.0.0.9/32");
            Assert.True(Ping(space));
        }
        finally
        {
            _ = Libc.kill(daemon.Id, Libc.SIGTERM);
            daemon.WaitForExit();
        }

        Assert.Equal(0, daemon.ExitCode);
        Assert.DoesNotContain("xdp", Shell.Check(space, "ip", "link", "show", "lo"), StringComparison.Ordinal);
    }

    private static bool Ping(NetSpace space) =>
        Shell.Run(space, "ping", "-c", "1", "-W", "1", "-I", "127.0.0.9", "127.0.0.1").ExitCode == 0;

    private static string? Find(Scratch scratch, string pattern, string within = "") =>
        Directory.EnumerateFiles(scratch.Root, pattern, SearchOption.AllDirectories).FirstOrDefault(f => f.Contains(within, StringComparison.Ordinal));
}
