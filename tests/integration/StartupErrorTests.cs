using System.Net.Sockets;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Every way in which a start fails: one line that says what to do, exit status 1, nothing left attached.</summary>
public sealed class StartupErrorTests : IDisposable
{
    /// <summary>Without it a start succeeds and waits for the interface.</summary>
    private const string RequireIfaces = "require_ifaces = true";

    private readonly Lab _lab = new();

    [Fact]
    public void AnInterfaceThatDoesNotExistIsNamedTogetherWithThoseThatDo()
    {
        string error = FailedStart(new DaemonOptions { Interfaces = ["eth7"], Top = RequireIfaces });
        Assert.Contains("\"eth7\"", error, StringComparison.Ordinal);
        Assert.Contains(Lab.Interface, error, StringComparison.Ordinal);
    }

    [Fact]
    public void OneBadInterfaceOfTwoLeavesTheGoodOneUntouched()
    {
        FailedStart(new DaemonOptions { Interfaces = [Lab.Interface, "eth7"], Top = RequireIfaces });
        Assert.Equal("", _lab.Attached());
    }

    [Theory]
    [InlineData("generic", "xdpgeneric")]
    [InlineData("native", "xdpgeneric")]
    [InlineData("generic", "xdpdrv")]
    public void AnotherProgramOnTheInterfaceStaysAndIsNamed(string mode, string foreignMode)
    {
        string compiled = ForeignProgram.Compile(_lab.Scratch);
        _lab.Ip("link", "set", "dev", Lab.Interface, foreignMode, "obj", compiled, "sec", "xdp");
        string before = _lab.Attached();
        string error = FailedStart(new DaemonOptions { Mode = mode, Top = RequireIfaces }, attached: before);
        Assert.Contains($"\"{Lab.Interface}\"", error, StringComparison.Ordinal);
        Assert.Contains("XDP program", error, StringComparison.OrdinalIgnoreCase);
        Assert.NotEqual("", before);
    }

    [Fact]
    public void ADaemonOnTheInterfaceAlreadyKeepsASecondOneAway()
    {
        using Daemon first = Daemon.Start(_lab);
        first.Api.Add("drop", "198.51.100.7/32");
        string before = _lab.Attached();
        FailedStart(new DaemonOptions { Name = "second", Top = RequireIfaces }, attached: before);
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
    }

    [Fact]
    public void ASecondInstanceOfTheSameConfigurationIsRefusedAndTheFirstGoesOn()
    {
        using Daemon first = Daemon.Start(_lab);
        first.Api.Add("drop", "198.51.100.7/32");
        Shell.Result second = Product.Run(_lab.Inside, "run", "-c", first.Config);
        AssertOneLine(second);
        Assert.Contains("another daemon", second.Error, StringComparison.Ordinal);
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
        Assert.Equal(200, first.Api.Get("/v1/drop/198.51.100.7/32").Status);
    }

    [Fact]
    public void WithoutPrivilegeItSaysWhichOneIsMissing()
    {
        string config = Daemon.Write(_lab.Scratch, new DaemonOptions());
        Shell.Result result = Shell.Run(
            _lab.Inside, "setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", Product.Binary, "run", "-c", config);
        AssertOneLine(result);
        Assert.Matches("root|CAP_", result.Error);
        Assert.Equal("", _lab.Attached());
    }

    [Fact]
    public void AConfigurationThatIsNotThereIsNamed()
    {
        Shell.Result result = Product.Run(_lab.Inside, "run", "-c", "/nowhere/couic.toml");
        AssertOneLine(result);
        Assert.Contains("/nowhere/couic.toml", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AnUnknownKeyIsNamedWithFileLineAndColumn()
    {
        string error = FailedStart(new DaemonOptions { Top = "operation_mod = \"generic\"" });
        Assert.Contains("couic.toml:6:1", error, StringComparison.Ordinal);
        Assert.Contains("operation_mode", error, StringComparison.Ordinal);
    }

    [Fact]
    public void AnUnknownUserIsNamed()
    {
        string config = Daemon.Write(_lab.Scratch, new DaemonOptions());
        File.WriteAllText(config, File.ReadAllText(config).Replace("\"nobody\"", "\"nosuchuser\"", StringComparison.Ordinal));
        Shell.Result result = Product.Run(_lab.Inside, "run", "-c", config);
        AssertOneLine(result);
        Assert.Contains("nosuchuser", result.Error, StringComparison.Ordinal);
        Assert.Equal("", _lab.Attached());
    }

    [Fact]
    public void AWorkingFolderThatIsNotThereIsNamed()
    {
        DaemonOptions options = new();
        string config = Daemon.Write(_lab.Scratch, options);
        Directory.Delete(_lab.Scratch["couic/state"]);
        Shell.Result result = Product.Run(_lab.Inside, "run", "-c", config);
        AssertOneLine(result);
        Assert.Contains(_lab.Scratch["couic/state"], result.Error, StringComparison.Ordinal);
        Assert.Equal("", _lab.Attached());
    }

    [Theory]
    [InlineData("token = \"not-a-uuid\"\ngroup = \"admin\"\n")]
    [InlineData("group = \"admin\"\n")]
    [InlineData("token = \"6f1ed002-ab5e-4f0a-8e0c-3b8a4c7d1e2f\"\ngroup = \"emperor\"\n")]
    [InlineData("")]
    public void ABadTokenFileOfCouicctlIsNamed(string text)
    {
        string error = FailedStart(new DaemonOptions(), () => WriteClient(text, (UnixFileMode)0b110_000_000));
        Assert.Contains("couicctl.toml", error, StringComparison.Ordinal);
    }

    [Fact]
    public void ATokenFileThatOthersMayReadIsNamed()
    {
        const string Good = "token = \"6f1ed002-ab5e-4f0a-8e0c-3b8a4c7d1e2f\"\ngroup = \"admin\"\n";
        string error = FailedStart(new DaemonOptions(), () => WriteClient(Good, (UnixFileMode)0b110_100_100));
        Assert.Contains("couicctl.toml", error, StringComparison.Ordinal);
    }

    [Fact]
    public void AFolderOfTheWrongOwnerIsNamed()
    {
        string error = FailedStart(new DaemonOptions(), () => _lab.Scratch.Folder("couic/state/rbac", Owner.Root));
        Assert.Contains("couic/state/rbac", error, StringComparison.Ordinal);
    }

    [Fact]
    public void AnythingElseAtTheSocketsPathIsLeftAlone()
    {
        string path = _lab.Scratch["couic/couic.sock"];
        string error = FailedStart(new DaemonOptions(), () => _lab.Scratch.File("couic/couic.sock", "precious"), keepSocket: true);
        Assert.Contains(path, error, StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(path));
    }

    [Fact]
    public void ASocketInUse_IsLeftAlone()
    {
        string path = _lab.Scratch["couic/couic.sock"];
        using Socket other = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        string error = FailedStart(
            new DaemonOptions(),
            () =>
            {
                other.Bind(new UnixDomainSocketEndPoint(path));
                other.Listen();
            },
            keepSocket: true);
        Assert.Contains(path, error, StringComparison.Ordinal);
        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(new UnixDomainSocketEndPoint(path));
    }

    [Fact]
    public void AStaleSocket_IsReplaced()
    {
        using (Daemon first = Daemon.Start(_lab))
        {
            first.End(Libc.SIGKILL);
            Assert.True(File.Exists(first.Socket));
        }

        using Daemon second = Daemon.Start(_lab);
        Assert.NotEqual("", _lab.Attached());
    }

    public void Dispose() => _lab.Dispose();

    private string FailedStart(DaemonOptions options, Action? prepare = null, string attached = "", bool keepSocket = false)
    {
        string config = Daemon.Write(_lab.Scratch, options);
        prepare?.Invoke();
        Shell.Result result = Product.Run(_lab.Inside, "run", "-c", config);
        AssertOneLine(result);
        Assert.Equal(attached, _lab.Attached());
        Assert.Equal(keepSocket, File.Exists(_lab.Scratch[options.Name + "/couic.sock"]));
        return result.Error;
    }

    private static void AssertOneLine(Shell.Result result)
    {
        Assert.True(result.ExitCode == 1, $"exit {result.ExitCode}: {result.All}");
        Assert.True(result.Error.TrimEnd('\n').Split('\n').Length == 1 && result.Error.Length > 0, $"not one line: {result.All}");
        Assert.DoesNotContain("   at ", result.All, StringComparison.Ordinal);
    }

    private void WriteClient(string text, UnixFileMode mode)
    {
        _lab.Scratch.Folder("couic/state/rbac", Owner.Nobody);
        _lab.Scratch.Folder("couic/state/rbac/clients", Owner.Nobody);
        _lab.Scratch.File("couic/state/rbac/clients/couicctl.toml", text, mode, Owner.Nobody);
    }
}
