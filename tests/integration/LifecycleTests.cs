using System.Diagnostics;
using System.Net.Sockets;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>How the daemon ends, and what is left of it then.</summary>
public sealed class LifecycleTests
{
    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void SigtermDetachesRemovesTheSocketAndExitsWithZero(string mode)
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = mode });
        daemon.Api.Add("drop", "198.51.100.7/32");
        Assert.NotEqual("", lab.Attached());
        Assert.Equal(0, daemon.End());
        Assert.Equal("", lab.Attached());
        Assert.False(File.Exists(daemon.Socket));
        Assert.True(lab.Probe.Passes("198.51.100.7"));
    }

    [Fact]
    public void AnInterruptFromTheTerminalEndsItAsWell()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);
        Assert.Equal(0, daemon.End(Libc.SIGINT));
        Assert.Equal("", lab.Attached());
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void KilledItLeavesNothingAttachedAndNoProcess(string mode)
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = mode });
        daemon.Api.Add("drop", "198.51.100.7/32");
        daemon.End(Libc.SIGKILL);
        Eventually.Holds(() => lab.Attached().Length == 0, "the program is detached");
        Eventually.Holds(() => !ProcessesWith(daemon.Home).Any(), "no process of it is left");
        Assert.True(lab.Probe.Passes("198.51.100.7"));
    }

    [Fact]
    public void ARequestThatIsUnderWayIsAnsweredBeforeTheEnd()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.ReceiveTimeout = 10_000;
        socket.Connect(new UnixDomainSocketEndPoint(daemon.Socket));
        byte[] request = System.Text.Encoding.ASCII.GetBytes(daemon.Api.Text("POST", "/v1/drop", ApiClient.EntryBody("198.51.100.7/32")));
        socket.Send(request.AsSpan(0, request.Length - 10));
        Thread.Sleep(100);
        daemon.Signal(Libc.SIGTERM);
        Thread.Sleep(100);
        socket.Send(request.AsSpan(request.Length - 10));
        byte[] answer = new byte[1024];
        int length = socket.Receive(answer);
        Assert.StartsWith("HTTP/1.1 201", System.Text.Encoding.ASCII.GetString(answer, 0, length), StringComparison.Ordinal);

        // A second signal while it ends changes nothing.
        Assert.Equal(0, daemon.End());
        Assert.False(File.Exists(daemon.Socket));
    }

    [Fact]
    public void DynamicRulesAreForgottenAndClientsKeptOverARestart()
    {
        using Lab lab = new();
        string token;
        using (Daemon first = Daemon.Start(lab))
        {
            token = first.Token;
            first.Api.Add("drop", "198.51.100.7/32");
            first.Api.Post("/v1/client", """{"name":"other","group":"clientro"}""").Expect(201);
            Assert.Equal(0, first.End());
        }

        using Daemon second = Daemon.Start(lab);
        Assert.Equal(token, second.Token);
        Assert.Equal("[]", second.Api.Get("/v1/drop").Expect(200).Body);
        Assert.Equal(200, second.As(second.TokenOf("other")).Get("/v1/drop").Status);
        Assert.True(lab.Probe.Passes("198.51.100.7"));
    }

    [Fact]
    public void SystemdIsToldWhenTheFilterIsReady()
    {
        using Lab lab = new();
        string path = lab.Scratch["notify"];
        using Socket notify = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 10_000 };
        notify.Bind(new UnixDomainSocketEndPoint(path));
        File.SetUnixFileMode(path, (UnixFileMode)0b110_110_110);
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Environment = new() { ["NOTIFY_SOCKET"] = path } });
        byte[] message = new byte[512];
        int length = notify.Receive(message);
        Assert.Contains("READY=1", System.Text.Encoding.UTF8.GetString(message, 0, length), StringComparison.Ordinal);
        Assert.NotEqual("", lab.Attached());
    }

    [Theory]
    [InlineData("api")]
    [InlineData("expiry")]
    public void AStuckLoop_EndsTheWatchdogNotifications_UntilItContinues(string thread)
    {
        using Lab lab = new();
        string path = lab.Scratch["notify"];
        using Socket notify = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { ReceiveTimeout = 10_000 };
        notify.Bind(new UnixDomainSocketEndPoint(path));
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions
        {
            Owner = Owner.Root,
            Environment = new() { ["NOTIFY_SOCKET"] = path, ["WATCHDOG_USEC"] = "400000" },
        });
        AwaitSignOfLife(notify);
        using (new StoppedThread(daemon.Process.Id, thread))
        {
            // A stuck loop is noticed within five seconds; from then on systemd's own time runs.
            notify.ReceiveTimeout = 1_000;
            Eventually.Holds(() => !IsSignOfLife(notify), "no sign of life for a second", 10);
        }

        notify.ReceiveTimeout = 10_000;
        AwaitSignOfLife(notify);
        Assert.Equal(0, daemon.End());
    }

    private static void AwaitSignOfLife(Socket notify) => Eventually.Holds(() => IsSignOfLife(notify), "a sign of life");

    /// <summary>Whether the next message is one; false as well when none comes.</summary>
    private static bool IsSignOfLife(Socket notify)
    {
        byte[] message = new byte[512];
        try
        {
            return System.Text.Encoding.UTF8.GetString(message, 0, notify.Receive(message)) == "WATCHDOG=1";
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static IEnumerable<int> ProcessesWith(string word) =>
        Process.GetProcesses().Select(p => p.Id).Where(pid => CommandLine(pid).Contains(word, StringComparison.Ordinal));

    private static string CommandLine(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/cmdline");
        }
        catch (IOException)
        {
            return "";
        }
    }
}
