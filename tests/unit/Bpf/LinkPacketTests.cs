using Couic.Store;
using Xunit;

namespace Couic.Tests.Bpf;

/// <summary>With every address listed, IPv6 stays alive, and nothing else gets through by looking like what keeps it alive.</summary>
[Collection("bpf")]
public class LinkPacketTests
{
    public static TheoryData<string> Names => new(LinkPackets.All.Select(p => p.What));

    [Theory]
    [MemberData(nameof(Names))]
    public void APacketOfTheLink_EveryAddressListed_PassesOnlyIfItIsOne(string what)
    {
        (_, byte[] packet, bool passes) = LinkPackets.All.Single(p => p.What == what);
        using PlaneFixture plane = Listed();
        uint expected = passes ? PlaneFixture.Pass : PlaneFixture.Drop;

        Assert.Equal(!passes, ReferenceFilter.OfPacket(packet, _ => true));
        Assert.Equal(expected, plane.Run(Packets.Ethernet(0x86dd, packet)));
        Assert.Equal(expected, plane.Run(Packets.Tagged(0x86dd, packet, 0x88a8, 0x8100, 0x8100)));
        Assert.Equal(expected, plane.Run(Packets.Tagged(0x8864, Packets.PppoeSession(0x57, packet, compressed: true), 0x8100)));
        Assert.Equal(expected, PlaneFixture.Run(plane.Programs.Ip, packet));
    }

    [Fact]
    public void EveryTruncation_GetsTheVerdictOfTheReference()
    {
        using PlaneFixture plane = Listed();
        foreach ((string what, byte[] packet, _) in LinkPackets.All)
        {
            for (int length = 14; length <= packet.Length; length++)
            {
                bool dropped = ReferenceFilter.OfPacket(packet.AsSpan(0, length), _ => true);
                Assert.True(PlaneFixture.Run(plane.Programs.Ip, packet[..length]) == (dropped ? PlaneFixture.Drop : PlaneFixture.Pass), $"{what}, {length} bytes");
            }
        }
    }

    [Fact]
    public void EachBitOfAPacketOfTheLink_Changed_GetsTheVerdictOfTheReference()
    {
        using PlaneFixture plane = Listed();
        foreach ((string what, byte[] packet, _) in LinkPackets.All.Where(p => p.Passes))
        {
            for (int bit = 0; bit < packet.Length * 8; bit++)
            {
                byte[] changed = [.. packet];
                changed[bit / 8] ^= (byte)(1 << (bit % 8));
                bool dropped = ReferenceFilter.OfPacket(changed, _ => true);
                Assert.True(PlaneFixture.Run(plane.Programs.Ip, changed) == (dropped ? PlaneFixture.Drop : PlaneFixture.Pass), $"{what}, bit {bit}");
            }
        }
    }

    private static PlaneFixture Listed()
    {
        var plane = new PlaneFixture(PlaneFixture.Small with { MatchDestination = true });
        plane.Put(Policy.Drop, "::/0", slot: 0);
        plane.Put(Policy.Drop, "0.0.0.0/0", slot: 1);
        return plane;
    }
}
