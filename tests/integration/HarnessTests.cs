using System.Net;
using System.Net.Sockets;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>The ground that the other tests stand on: namespaces and packets, without the product.</summary>
public sealed class HarnessTests
{
    [Fact]
    public void EveryKindOfFrameArrivesWhereNothingFilters()
    {
        using Lab lab = new();
        bool[] arrived = lab.Probe.Send(
            Frame.UdpFrom("198.51.100.7"),
            Frame.UdpFrom("2001:db8::7"),
            Frame.UdpFrom("198.51.100.7", Frame.Vlan),
            Frame.UdpFrom("2001:db8::7", Frame.ServiceVlan, Frame.Vlan),
            Frame.Ethernet(Frame.Arp, new byte[28]),
            Frame.Ethernet(Frame.IPv4, []),
            Frame.Ethernet(Frame.IPv6, new byte[39]));
        Assert.Equal(Enumerable.Repeat(true, 7), arrived);
    }

    [Fact]
    public void AFrameThatTheKernelDropsIsSeenAsMissing()
    {
        using Lab lab = new();
        Shell.Check(
            lab.Outside, "nft",
            $"add table netdev t; add chain netdev t c {{ type filter hook egress device {Lab.OuterInterface} priority 0; }}; "
            + "add rule netdev t c ip saddr 198.51.100.7 drop");
        Assert.Equal([false, true], lab.Probe.Passes(["198.51.100.7", "198.51.100.8"]));
    }

    [Fact]
    public void SocketsOpenedInASpaceTalkAcrossThePair()
    {
        using Lab lab = new();
        using Socket server = lab.Inside.Do(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        using Socket client = lab.Outside.Do(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        server.Bind(new IPEndPoint(IPAddress.Parse(Lab.InsideV4), 7));
        server.ReceiveTimeout = 5000;
        client.SendTo([42], new IPEndPoint(IPAddress.Parse(Lab.InsideV4), 7));
        byte[] received = new byte[8];
        Assert.Equal(1, server.Receive(received));
        Assert.Equal(42, received[0]);
    }

    [Fact]
    public void ANamespace_HasNoName()
    {
        using NetSpace space = new();
        Assert.DoesNotContain("couic", Shell.Run("ip", "netns", "list").Out, StringComparison.Ordinal);
        Assert.Contains("lo", Shell.Check(space, "ip", "link"), StringComparison.Ordinal);
    }
}
