using Couic.Bpf;
using Couic.Daemon;
using Couic.Native;
using Xunit;

namespace Couic.Tests.Daemon;

public class InterfaceStateTests
{
    [Fact]
    public void WhatIsSentIsReceived()
    {
        InterfaceState[] states =
        [
            InterfaceState.Attached("lan", "eth0", 2, XdpMode.Native),
            new("eth1", "eth1", 0, "", AttachState.Missing, "no such\ninterface"),
        ];
        Assert.Equal([states[0], states[1] with { Error = "no such interface" }], InterfaceState.Parse(InterfaceState.Format(states)));
    }

    [Fact]
    public void NoInterfacesAreNotMistakenForTheEndOfTheOtherSide()
    {
        byte[] message = InterfaceState.Format([]);
        Assert.NotEmpty(message);
        Assert.Empty(InterfaceState.Parse(message));
    }

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
        Assert.Equal(["eth0", "old0", "wg0"], InterfaceMetrics.Labels(states).Select(l => l.Label));
    }
}
