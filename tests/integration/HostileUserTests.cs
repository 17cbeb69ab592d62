using System.Diagnostics;
using System.Net.Sockets;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Other users of the machine can neither keep the daemon from starting nor take its names from it.</summary>
public sealed class HostileUserTests : IDisposable
{
    private const string Hostile = "9999";
    private readonly Lab _lab = new();

    [Fact]
    public void Start_AnotherUserLocksWhateverItCanOpen_Succeeds()
    {
        Daemon.Write(_lab.Scratch, new DaemonOptions());
        using Process first = As(Hostile, "flock", "-x", _lab.Scratch["couic/state"], "sleep", "100");
        using Process second = As(Hostile, "flock", "-x", _lab.Scratch["couic"], "sleep", "100");
        Eventually.Holds(() => Shell.Run("flock", "-n", _lab.Scratch["couic/state"], "true").ExitCode == 1, "the folder is locked");
        using (Daemon daemon = Daemon.Start(_lab))
        {
            Assert.Equal(0, daemon.End());
        }

        foreach (string file in new[] { "couic/state/.lock", "couic/couic.sock.lock" })
        {
            Assert.Equal((UnixFileMode)0b110_000_000, File.GetUnixFileMode(_lab.Scratch[file]));
            Assert.Contains("Permission denied", RunAs(Hostile, "flock", "-n", _lab.Scratch[file], "true").Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Start_SomethingElseUnderTheNameOfALock_IsNamedAndNotWaitedFor()
    {
        foreach (string name in new[] { "couic/state/.lock", "couic/couic.sock.lock" })
        {
            string config = Daemon.Write(_lab.Scratch, new DaemonOptions());
            string path = _lab.Scratch[name];
            foreach ((Action Make, string Cause) in new (Action, string)[]
            {
                (() => Shell.Check(null, "mkfifo", path), "not a regular file"),
                (() => File.CreateSymbolicLink(path, "/etc/hostname"), "not a regular file"),
                (() => _lab.Scratch.File(name, "", (UnixFileMode)0b110_100_100, Owner.Nobody), "mode is 644"),
                (() => _lab.Scratch.File(name, "", (UnixFileMode)0b110_000_000, new Owner("x", "x", 9999, 9999)), "owner is 9999:9999"),
            })
            {
                File.Delete(path);
                Make();
                Shell.Result result = Product.Run(_lab.Inside, "run", "-c", config);
                Assert.Equal(1, result.ExitCode);
                Assert.Contains(path, result.Error, StringComparison.Ordinal);
                Assert.Contains(Cause, result.Error, StringComparison.Ordinal);
            }

            File.Delete(path);
        }
    }

    [Fact]
    public void Start_TheSocketIsAnotherDaemonsOrBoundWithoutListening_IsRefusedAndTheSocketStays()
    {
        using Daemon first = Daemon.Start(_lab);
        string config = Daemon.Write(_lab.Scratch, new DaemonOptions { Name = "second" });
        File.WriteAllText(config, File.ReadAllText(config).Replace(_lab.Scratch["second/couic.sock"], first.Socket, StringComparison.Ordinal));
        Shell.Result second = Product.Run(_lab.Inside, "run", "-c", config);
        Assert.Equal(1, second.ExitCode);
        Assert.Contains("another daemon has it", second.Error, StringComparison.Ordinal);
        Assert.Equal(200, first.Api.Get("/v1/status").Status);

        string path = _lab.Scratch["bound.sock"];
        using Process other = Shell.Start(_lab.Inside, new ProcessStartInfo("/usr/bin/python3", ["-c", $"import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('{path}'); time.sleep(100)"]));
        Eventually.Holds(() => File.Exists(path), "the socket is bound");
        File.WriteAllText(config, File.ReadAllText(config).Replace(first.Socket, path, StringComparison.Ordinal));
        Shell.Result third = Product.Run(_lab.Inside, "run", "-c", config);
        Assert.Equal(1, third.ExitCode);
        Assert.Contains("another program has it", third.Error, StringComparison.Ordinal);
        Assert.True(File.Exists(path));
        Kill(other);
    }

    [Fact]
    public void Stop_AnotherSocketStandsAtThePath_Stays()
    {
        using Daemon daemon = Daemon.Start(_lab);
        string aside = daemon.Socket + ".aside";
        File.Move(daemon.Socket, aside);
        using Socket other = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        other.Bind(new UnixDomainSocketEndPoint(daemon.Socket));
        Assert.Equal(0, daemon.End());
        Assert.True(File.Exists(daemon.Socket));
    }

    public void Dispose() => _lab.Dispose();

    private static bool Kill(Process process)
    {
        process.Kill(entireProcessTree: true);
        process.WaitForExit();
        return true;
    }

    private static Process As(string uid, params string[] command)
    {
        ProcessStartInfo start = new("setpriv", ["--reuid", uid, "--regid", uid, "--clear-groups", .. command]) { RedirectStandardOutput = true };
        return Shell.Start(null, start);
    }

    private static Shell.Result RunAs(string uid, params string[] command) =>
        Shell.Run("setpriv", ["--reuid", uid, "--regid", uid, "--clear-groups", .. command]);
}
