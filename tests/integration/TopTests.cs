using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary><c>couicctl top</c> on a real terminal: what it shows, and what it leaves behind.</summary>
public sealed class TopTests(SharedDaemon shared) : IClassFixture<SharedDaemon>
{
    private readonly Daemon _daemon = shared.Daemon;

    [Theory]
    [InlineData(80, 24)]
    [InlineData(40, 10)]
    public void RatesEntriesAndTagsAreShownAtEverySize(int columns, int rows)
    {
        _daemon.Api.Add("drop", "198.51.100.0/24", $"seen{columns}");
        using PseudoTerminal top = _daemon.CtlOnTerminal(columns, rows, "top", "--interval", "0.2");
        top.Shows("198.51.100.0/24");
        top.Shows($"seen{columns}");
        Assert.True(top.IsAlternate && top.HidesCursor);

        // The rate is shown as long as packets come: the probe sends until it was seen.
        byte[][] frames = [.. Enumerable.Repeat(Frame.UdpFrom("198.51.100.7"), 50)];
        Eventually.Holds(
            () =>
            {
                shared.Lab.Probe.Send(frames);
                return top.Lines[1] is var line && line.StartsWith("dropped", StringComparison.Ordinal) && !line.Contains("  0/s", StringComparison.Ordinal) && !line.Contains("-/s", StringComparison.Ordinal);
            },
            "packets per second are shown");
        top.Press("?");
        top.Shows("q, Esc, Ctrl-C  quit");
        top.Press("\e");
        Eventually.Holds(() => top.Text.Contains("CIDR", StringComparison.Ordinal), "the help is left; an Escape with more keys right after it is another key");
        top.Press("/none\r");
        top.Shows("(nothing matches the filter)");
        top.Resize(columns + 7, rows + 3);
        Eventually.Holds(() => top.Lines[^1].StartsWith("q quit", StringComparison.Ordinal) && top.Lines.Length == rows + 3, "the frame has the new size");
        top.Press("\e\e");
        Assert.Equal(0, top.End());
        _daemon.Api.Remove("drop", "198.51.100.0/24");
    }

    [Fact]
    public void ARestartOfTheDaemonIsShownAndSurvived()
    {
        using Lab lab = new();
        using Daemon first = Daemon.Start(lab);
        using PseudoTerminal top = first.CtlOnTerminal(80, 24, "top", "--interval", "0.2");
        top.Shows("dropped");
        first.End();
        top.Shows("NO ANSWER");
        top.Shows("no answer for ");
        using Daemon second = Daemon.Start(lab);
        second.Api.Add("drop", "203.0.113.0/24", "second");
        top.Shows("203.0.113.0/24");
        Eventually.Holds(() => !top.Text.Contains("no answer", StringComparison.OrdinalIgnoreCase), "the daemon answers again");
        top.Press("q");
        Assert.Equal(0, top.End());
    }

    [Theory]
    [InlineData(Libc.SIGTERM)]
    [InlineData(Libc.SIGINT)]
    [InlineData(Libc.SIGHUP)]
    [InlineData(Libc.SIGQUIT)]
    public void EverySignalLeavesTheTerminalAsItWas(int signal)
    {
        using PseudoTerminal top = _daemon.CtlOnTerminal(80, 24, "top");
        top.Shows("dropped");
        Assert.NotEqual(top.Mode, top.ReadMode());
        _ = Libc.kill(top.Process.Id, signal);
        Assert.Equal(0, top.End());
    }

    [Fact]
    public void ControlCEnds()
    {
        using PseudoTerminal top = _daemon.CtlOnTerminal(80, 24, "top");
        top.Shows("dropped");
        top.Press("\u0003");
        Assert.Equal(0, top.End());
    }

    [Fact]
    public void ControlZGivesTheTerminalBackUntilItIsContinued()
    {
        using PseudoTerminal top = _daemon.CtlOnTerminal(80, 24, "top");
        top.Shows("dropped");
        top.Press("\u001a");
        Eventually.Holds(() => top.IsStopped, "it is stopped");
        Eventually.Holds(() => !top.IsAlternate && !top.HidesCursor, "screen and cursor are restored");
        Assert.Equal(top.Mode, top.ReadMode());
        _ = Libc.kill(top.Process.Id, Libc.SIGCONT);
        Eventually.Holds(() => top.IsAlternate && top.HidesCursor, "it takes the screen again");
        top.Shows("dropped");
        top.Press("q");
        Assert.Equal(0, top.End());
    }

    [Fact]
    public void AWindowThatIsClosedEndsIt()
    {
        using PseudoTerminal top = _daemon.CtlOnTerminal(80, 24, "top");
        top.Shows("dropped");
        top.Close();
        Eventually.Holds(() => top.Process.HasExited, "it ends");
    }

    [Fact]
    public void WithoutATerminalItPrintsLines()
    {
        Shell.Result text = _daemon.Ctl("top", "--interval", "0.1", "--count", "2");
        Assert.Equal(0, text.ExitCode);
        Assert.Matches(@"\Atime       dropped/s .*busiest tag\n\d\d:\d\d:\d\d .*\n\d\d:\d\d:\d\d .*\n\z", text.Out);
        Shell.Result json = _daemon.Ctl("top", "--interval", "0.1", "--count", "1", "--json");
        Assert.Matches("""\A\{"time":[0-9.]+,"interval":[0-9.]+,"dropped":\{.*\}\n\z""", json.Out);
    }
}
