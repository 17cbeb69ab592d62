using Couic.Bpf;
using Couic.Daemon;
using Couic.Native;
using Xunit;

namespace Couic.Tests.Daemon;

public class InterfaceStateTests
{
    [Fact]
    public void Line_ReadBack_IsTheSameState()
    {
        InterfaceState attached = InterfaceState.Attached("lan", "eth0", 2, XdpMode.Native) with { Program = 4_000_000_000, Attachment = 7, IsTakenOver = true };
        Assert.Equal(attached, InterfaceState.FromLine(attached.ToLine()));
        InterfaceState again = attached with { IsTakenOver = false, Gap = "it was\tattached\nelsewhere", Unpinned = "no\nroom" };
        Assert.Equal(again with { Gap = "it was attached elsewhere", Unpinned = "no room" }, InterfaceState.FromLine(again.ToLine()));
        InterfaceState missing = new("eth1", "eth1", 0, "", AttachState.Missing, "no such\ninterf\tace");
        Assert.Equal(missing with { Error = "no such interf ace" }, InterfaceState.FromLine(missing.ToLine()));
    }

    [Fact]
    public void Line_IsShort_HoweverLongTheErrorIs()
    {
        InterfaceState state = new(new string('ä', 63), new string('b', 15), 1, "", AttachState.Failed, new string('€', 5000));
        Assert.InRange(System.Text.Encoding.UTF8.GetByteCount(state.ToLine()), 500, 1200);
    }

    [Fact]
    public void LineOfAnotherVersion_IsRefused() => Assert.Throws<FormatException>(() => InterfaceState.FromLine("eth0\teth0\t2"));

    [Theory]
    [InlineData(Errno.ENODEV, AttachState.Missing)]
    [InlineData(Errno.EBUSY, AttachState.Taken)]
    [InlineData(Errno.EOPNOTSUPP, AttachState.Failed)]
    [InlineData(Errno.None, AttachState.Failed)]
    internal void Refused_TheKernelsAnswerDecidesTheState(Errno errno, AttachState state)
    {
        InterfaceState refused = InterfaceState.Refused("a", "a", 3, new BpfException("why", errno));
        Assert.Equal((state, "why", false), (refused.State, refused.Error, refused.IsAttached));
    }

    [Fact]
    public void Metrics_LabelsAreUnique_AlsoWhenTwoInterfacesBelongToOneName()
    {
        InterfaceState[] states =
        [
            InterfaceState.Attached("eth0", "eth0", 5, XdpMode.Native),
            InterfaceState.Attached("eth0", "old0", 2, XdpMode.Native),
            new("wg0", "wg0", 0, "", AttachState.Missing, "no such interface"),
        ];
        Assert.Equal(["eth0", "old0", "wg0"], DaemonMetrics.InterfaceLabels(states).Select(l => l.Label));
    }

    [Theory]
    [InlineData("filtering nothing (no interfaces configured)", "")]
    [InlineData("filtering eth0, lan (eth1)", "eth0=eth0 lan=eth1")]
    [InlineData("filtering 1 of 2 (missing: wg0)", "eth0=eth0 wg0")]
    [InlineData("filtering 0 of 6 (missing: a, b, c, d and 2 more)", "a b c d e f")]
    [InlineData("filtering a, b, c, d and 1 more", "a=a b=b c=c d=d e=e")]
    public void Summary_IsShort_AndNamesWhatIsNotFiltered(string line, string states)
    {
        InterfaceState[] all = [.. states.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select((word, i) => word.Split('=') is [var configured, var name]
            ? InterfaceState.Attached(configured, name, i + 1, XdpMode.Generic)
            : new InterfaceState(word, word, 0, "", AttachState.Missing, "no such interface"))];
        Assert.Equal(line, InterfaceSummary.Line(all, isLost: false));
        Assert.Equal(line + ", the attacher process has ended", InterfaceSummary.Line(all, isLost: true));
    }
}
