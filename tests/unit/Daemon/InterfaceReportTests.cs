using Couic.Bpf;
using Couic.Daemon;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Daemon;

/// <summary>The log of the interfaces: each change once, in a bounded number of lines.</summary>
public sealed class InterfaceReportTests
{
    private readonly ListLogger _log = new();
    private readonly ManualClock _time = new();
    private readonly InterfaceReport _report;

    public InterfaceReportTests() => _report = new InterfaceReport(_log, _time);

    [Fact]
    public void MissingInterface_IsLoggedOnce_HoweverOftenOthersChange()
    {
        Assert.True(_report.Compare([Missing("wg0")]));
        for (int i = 0; i < 100; i++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            _report.Compare(i % 2 == 0 ? [Missing("wg0"), Attached("eth0", 2)] : [Missing("wg0")]);
        }

        Assert.Single(_log.Lines, line => line.Contains("wg0", StringComparison.Ordinal));
        Assert.False(_report.Compare([Missing("wg0")]));
    }

    [Fact]
    public void EachKindOfChange_HasItsLine()
    {
        InterfaceState first = Attached("eth0", 2);
        Lines("attached to eth0 in native mode", first);
        Lines("the program had been taken off eth0; it is attached again", first with { Attachment = 2 });
        Lines("eth0 is called foo now and stays filtered", first with { Attachment = 2, Name = "foo" });
        Lines("eth0 is no longer filtered: no such interface (have: ", Missing("eth0"));
        Lines("attached to eth0 in native mode", Attached("eth0", 3));
        Lines("eth0 is no longer filtered: another xdp program", new InterfaceState("eth0", "eth0", 3, "", AttachState.Taken, "another xdp program"));
        Lines("eth0 is not filtered: refused", new InterfaceState("eth0", "eth0", 3, "", AttachState.Failed, "refused"));
    }

    [Fact]
    public void HundredsOfChanges_AreAFewLinesAndACount()
    {
        InterfaceState[] all = [.. Enumerable.Range(0, 900).Select(i => Missing($"e{i}"))];
        _report.Compare([Attached("eth0", 2), .. all]);
        Assert.Equal(InterfaceReport.Burst, _log.Lines.Count);
        _time.Advance(TimeSpan.FromSeconds(2));
        _report.Compare([Attached("eth0", 2), .. all]);
        Assert.Contains("and 881 more changes of interfaces; 900 of 901 are not filtered", _log.Lines[^1], StringComparison.Ordinal);
        Assert.Equal(InterfaceReport.Burst + 1, _log.Lines.Count);
    }

    [Fact]
    public void InterfacesThatFlapForAnHour_DoNotFillTheLog()
    {
        for (int i = 0; i < 36_000; i++)
        {
            _report.Compare(i % 2 == 0 ? [Missing("a"), Missing("b")] : [Attached("a", i + 1), Attached("b", i + 2)]);
            _time.Advance(TimeSpan.FromMilliseconds(100));
        }

        Assert.InRange(_log.Lines.Count, 100, 3600 + InterfaceReport.Burst);
    }

    private void Lines(string expected, params InterfaceState[] states)
    {
        int before = _log.Lines.Count;
        _report.Compare(states);
        Assert.Contains(expected, Assert.Single(_log.Lines.Skip(before)), StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromMinutes(1));
    }

    private static InterfaceState Attached(string name, int index) => InterfaceState.Attached(name, name, index, XdpMode.Native) with { Attachment = 1 };

    private static InterfaceState Missing(string name) => new(name, name, 0, "", AttachState.Missing, "no such interface");
}
