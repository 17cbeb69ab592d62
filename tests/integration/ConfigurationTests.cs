using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Configuration and client files as the shipped binary takes them, and <c>couic check</c>.</summary>
public sealed class ConfigurationTests : IDisposable
{
    private const UnixFileMode Mode600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly Lab _lab = new();

    [Fact]
    public void CheckFindsNothingWrongWithAGoodConfigurationAndChangesNothing()
    {
        string config = Daemon.Write(_lab.Scratch, new DaemonOptions());
        string before = Listing();
        Shell.Result result = Product.Run(_lab.Inside, "check", "-c", config);
        Assert.Equal((0, string.Empty), (result.ExitCode, result.Error));
        Assert.Equal(before, Listing());
    }

    [Fact]
    public void CheckPrintsEveryFaultOfEveryFileEvenWithoutPrivilege()
    {
        string config = Daemon.Write(_lab.Scratch, new DaemonOptions());
        foreach (string folder in new[] { "rbac", "rbac/clients", "sets", "sets/drop", "sets/ignore" })
        {
            _lab.Scratch.Folder($"couic/state/{folder}", Owner.Nobody);
        }

        string set = _lab.Scratch.File("couic/state/sets/drop/list.couic", "192.0.2.0/24\n192.0.2.0/33\n", Mode600, Owner.Nobody);
        string client = _lab.Scratch.File("couic/state/rbac/clients/web.toml", "token = \"x\"\ngroup = \"root\"\n", Mode600, Owner.Nobody);
        Shell.Result result = Shell.Run(_lab.Inside, "setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", Product.Binary, "check", "-c", config);
        Assert.Equal(1, result.ExitCode);
        string[] lines = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal([$"{client}:1:9: ", $"{client}:2:9: ", $"{set}:2: "], lines.Select(line => line[..(line.IndexOf(": ", StringComparison.Ordinal) + 2)]));
    }

    [Fact]
    public void AllFaultsOfAConfigurationAreShownAtOnceAndNothingStarts()
    {
        string config = _lab.Scratch.File("bad.toml", "ifaces = 1\nuser = oops\noperation_mode = \"nativ\"\n[logging]\ndirr = \"-\"\n");
        Shell.Result result = Product.Run(_lab.Inside, "run", "-c", config);
        Assert.Equal(1, result.ExitCode);
        Assert.Equal(
            [
                $"couic: {config}:1:10: ifaces must be an array, is an integer (1)",
                $"couic: {config}:2:8: \"oops\" is not a value (strings need quotes)",
                $"couic: {config}:3:18: operation_mode = \"nativ\" is not allowed (one of: generic, native, offloaded, auto; did you mean \"native\"?)",
                $"couic: {config}:5:1: unknown key \"logging.dirr\" (did you mean \"dir\"?)",
            ],
            result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal("", _lab.Attached());
    }

    [Fact]
    public void WithoutInterfacesItServesItsApiWhereThatIsAskedFor()
    {
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Interfaces = [], Top = "allow_no_ifaces = true" });
        daemon.Api.Add("drop", "198.51.100.7/32");
        Assert.Equal("", _lab.Attached());
    }

    [Fact]
    public void InAnEmptyRootTheEmbeddedDefaultIsGood()
    {
        _lab.Scratch.Folder("root");
        File.Copy(Product.Binary, _lab.Scratch["root/couic"]);
        Shell.Result result = Shell.Run("chroot", _lab.Scratch["root"], "/couic", "check");
        Assert.Equal((0, string.Empty), (result.ExitCode, result.Error));
        Assert.Equal(["couic"], Directory.EnumerateFileSystemEntries(_lab.Scratch["root"]).Select(Path.GetFileName));
    }

    [Fact]
    public void ABadClientFileIsLeftOutAndNamedAndTheOthersWork()
    {
        const string Good = "6f1ed002-ab5e-4f0a-8e0c-3b8a4c7d1e2f";
        const string Open = "0b7c0c5e-6d0c-4b53-9d1e-1f0c7d9f3a11";
        Daemon.Write(_lab.Scratch, new DaemonOptions());
        foreach (string folder in new[] { "rbac", "rbac/clients" })
        {
            _lab.Scratch.Folder($"couic/state/{folder}", Owner.Nobody);
        }

        _lab.Scratch.File("couic/state/rbac/clients/good.toml", $"token = \"{Good}\"\ngroup = \"admin\"\n", Mode600, Owner.Nobody);
        _lab.Scratch.File("couic/state/rbac/clients/open.toml", $"token = \"{Open}\"\ngroup = \"admin\"\n", Mode600 | UnixFileMode.OtherRead, Owner.Nobody);
        using Daemon daemon = Daemon.Start(_lab);
        Assert.Equal(200, daemon.As(Good).Get("/v1/client").Status);
        Assert.Equal(401, daemon.As(Open).Get("/v1/client").Status);
        Eventually.Holds(() => daemon.Said.Contains("open.toml: mode is 604", StringComparison.Ordinal), "the log names the file and its fault");
        Assert.DoesNotContain(Open, daemon.Said, StringComparison.Ordinal);
    }

    [Fact]
    public void ACreatedClientsFileIsItsOwnersAloneAndOutlivesARestart()
    {
        string token;
        using (Daemon first = Daemon.Start(_lab))
        {
            first.Api.Post("/v1/client", "{\"name\":\"web\",\"group\":\"clientro\"}").Expect(201);
            token = first.TokenOf("web");
            Assert.Equal("nobody 600", Shell.Check(null, "stat", "-c", "%U %a", Path.Combine(first.WorkingFolder, "rbac/clients/web.toml")).Trim());
        }

        using Daemon second = Daemon.Start(_lab);
        Assert.Equal(200, second.As(token).Get("/v1/drop").Status);
    }

    public void Dispose() => _lab.Dispose();

    private string Listing() => Shell.Check(null, "find", _lab.Scratch.Root, "-printf", "%p %m %u %T@\\n");
}
