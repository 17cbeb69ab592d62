using Couic.Daemon;
using Xunit;

namespace Couic.Tests.Daemon;

public class InterfaceStateTests
{
    [Fact]
    public void WhatIsSentIsReceived()
    {
        InterfaceState[] states = [new("eth0", 2, "native", ""), new("eth1", 0, "", "no such\ninterface")];
        Assert.Equal([states[0], states[1] with { Fault = "no such interface" }], InterfaceState.Parse(InterfaceState.Format(states)));
    }

    [Fact]
    public void NoInterfacesAreNotMistakenForTheEndOfTheOtherSide()
    {
        byte[] message = InterfaceState.Format([]);
        Assert.NotEmpty(message);
        Assert.Empty(InterfaceState.Parse(message));
    }
}
