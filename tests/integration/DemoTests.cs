using System.Diagnostics;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary><c>couic demo</c>: the newcomer's first look.</summary>
public sealed class DemoTests
{
    [Fact]
    public void ItShowsEveryVerdict_AndLeavesNothing()
    {
        string[] before = Traces();
        Shell.Result result = Product.Run(null, "demo");
        Assert.True(result.ExitCode == 0, result.All);
        Assert.Contains("generic mode", result.Out, StringComparison.Ordinal);
        Assert.Contains("native mode", result.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("WRONG", result.Out, StringComparison.Ordinal);
        Assert.Equal(before, Traces());
    }

    [Fact]
    public void KilledInTheMiddle_ItLeavesNothing()
    {
        string[] before = Traces();
        using Process demo = Shell.Start(null, new ProcessStartInfo(Product.Binary, ["demo"]) { RedirectStandardOutput = true });
        while (demo.StandardOutput.ReadLine() is string line && !line.Contains("with these rules", StringComparison.Ordinal))
        {
        }

        Assert.False(demo.HasExited);
        demo.Kill();
        demo.WaitForExit();
        Eventually.Holds(() => before.SequenceEqual(Traces()), "daemon and folder are gone");
    }

    [Fact]
    public void WithoutPrivilegeItSaysSoInOneLine()
    {
        Shell.Result result = Shell.Run("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", Product.Binary, "demo");
        Assert.Equal(1, result.ExitCode);
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
        Assert.Contains("root", result.Error, StringComparison.Ordinal);
        Assert.Equal("", result.Out);
    }

    [Fact]
    public void AnArgumentIsAMistake()
    {
        Shell.Result result = Product.Run(null, "demo", "faster");
        Assert.Equal(2, result.ExitCode);
        Assert.Contains("\"faster\"", result.Error, StringComparison.Ordinal);
    }

    /// <summary>What a demonstration could leave: folders, processes, interfaces.</summary>
    private static string[] Traces() =>
    [
        .. Directory.GetDirectories(Path.GetTempPath(), "couic-demo-*").Order(),
        .. Process.GetProcesses().Select(p => CommandLine(p.Id)).Where(c => c.Contains("couic-demo-", StringComparison.Ordinal)).Order(),
        .. Shell.Check(null, "ip", "-o", "link").Split('\n').Select(l => l.Split(' ').ElementAtOrDefault(1) ?? "").Order(),
    ];

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
