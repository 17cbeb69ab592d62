using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>The file that is shipped: one static, hardened executable that needs nothing around it.</summary>
public sealed class BinaryTests
{
    [Fact]
    public void ItIsAStaticPositionIndependentExecutable()
    {
        string headers = ReadElf("-hl");
        Assert.Contains("Type:                              DYN", headers, StringComparison.Ordinal);
        Assert.DoesNotContain("INTERP", headers, StringComparison.Ordinal);
        string dynamic = ReadElf("-d");
        Assert.DoesNotContain("(NEEDED)", dynamic, StringComparison.Ordinal);
        Assert.Contains("PIE", dynamic, StringComparison.Ordinal);
    }

    [Fact]
    public void RelocationsAreReadOnlyAfterTheStartAndNoneIsInTheText()
    {
        Assert.Contains("GNU_RELRO", ReadElf("-l"), StringComparison.Ordinal);
        string dynamic = ReadElf("-d");
        Assert.Matches(@"BIND_NOW|Flags: .*NOW", dynamic);
        Assert.DoesNotContain("TEXTREL", dynamic, StringComparison.Ordinal);
    }

    [Fact]
    public void NoSegmentIsWritableAndExecutable()
    {
        string[] segments = [.. ReadElf("-lW").Split('\n').Where(l => l.Contains(" 0x", StringComparison.Ordinal))];
        Assert.Contains(segments, s => s.Contains("GNU_STACK", StringComparison.Ordinal) && s.Contains(" RW ", StringComparison.Ordinal));
        Assert.DoesNotContain(segments, s => s.Contains("RWE", StringComparison.Ordinal));
    }

    [Fact]
    public void ItIsStripped()
    {
        string sections = ReadElf("-SW");
        Assert.DoesNotContain(".symtab", sections, StringComparison.Ordinal);
        Assert.DoesNotContain(".debug_info", sections, StringComparison.Ordinal);
    }

    [Fact]
    public void TheLinksBesideItAreTheOtherCommands()
    {
        string folder = Path.GetDirectoryName(Product.Binary)!;
        Assert.StartsWith("Usage", Help(Path.Combine(folder, "couicctl")), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("report", Help(Path.Combine(folder, "couic-report")), StringComparison.OrdinalIgnoreCase);

        static string Help(string file)
        {
            Shell.Result result = Shell.Run(file, "--help");
            Assert.Equal(0, result.ExitCode);
            string text = result.Out;
            return text.Contains("Usage", StringComparison.OrdinalIgnoreCase)
                ? text[text.IndexOf("Usage", StringComparison.OrdinalIgnoreCase)..]
                : text;
        }
    }

    [Fact]
    public void TheRunningDaemonHasNoMemoryThatIsWritableAndExecutable()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);
        daemon.Api.Add("drop", "198.51.100.7/32");
        string[] maps = File.ReadAllLines($"/proc/{daemon.Process.Id}/maps");
        Assert.NotEmpty(maps);
        Assert.DoesNotContain(maps, m => m.Contains(" rwx", StringComparison.Ordinal));
    }

    [Fact]
    public void ItRunsInAnEmptyChroot()
    {
        using Scratch scratch = new();
        File.Copy(Product.Binary, scratch["couic"]);
        Shell.Result version = Shell.Run("chroot", scratch.Root, "/couic", "--version");
        Assert.Equal(0, version.ExitCode);
        Assert.Matches(@"^Couic \d+\.\d+\.\d+\n$", version.Out);
        Shell.Result check = Shell.Run("chroot", scratch.Root, "/couic", "check", "-c", "/couic.toml");
        Assert.Equal(1, check.ExitCode);
        Assert.Contains("/couic.toml", check.All, StringComparison.Ordinal);
    }

    [Fact]
    public void TheDaemonRunsInAChrootWithNothingButItsFiles()
    {
        using Lab lab = new();
        Scratch root = lab.Scratch;
        File.Copy(Product.Binary, root["couic"]);
        root.Folder("etc");
        root.File("etc/passwd", $"nobody:x:{Owner.Nobody.Uid}:{Owner.Nobody.Gid}:::\n");
        root.File("etc/group", $"nogroup:x:{Owner.Nobody.Gid}:\n");
        root.Folder("state", Owner.Nobody);
        root.File("couic.toml", $"""
            ifaces = ["{Lab.Interface}"]
            working_dir = "/state"
            user = "nobody"
            group = "nogroup"
            [logging]
            dir = "-"
            [server]
            socket = "/state/couic.sock"

            """);
        Shell.Result check = Shell.Run(lab.Inside, "chroot", root.Root, "/couic", "check", "-c", "/couic.toml");
        Assert.True(check.ExitCode == 0, check.All);

        using System.Diagnostics.Process daemon = Shell.Start(
            lab.Inside, new System.Diagnostics.ProcessStartInfo("chroot", [root.Root, "/couic", "run", "-c", "/couic.toml"]) { RedirectStandardOutput = true });
        try
        {
            string clientFile = root["state/rbac/clients/couicctl.toml"];
            Eventually.Holds(() => lab.Attached().Length > 0 && File.Exists(root["state/couic.sock"]), "the daemon is attached");
            using ApiClient api = new(root["state/couic.sock"], File.ReadAllText(clientFile).Split('"')[1]);
            api.Add("drop", "198.51.100.7/32");
            Assert.False(lab.Probe.Passes("198.51.100.7"));
        }
        finally
        {
            _ = Libc.kill(daemon.Id, Libc.SIGTERM);
            daemon.WaitForExit();
        }

        Assert.Equal(0, daemon.ExitCode);
        Assert.Equal("", lab.Attached());
    }

    private static string ReadElf(string what) => Shell.Check(null, "readelf", what, Product.Binary);
}
