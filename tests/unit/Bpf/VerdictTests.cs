using System.Net;
using Couic.Bpf;
using Couic.Store;
using Xunit;
using static Couic.Tests.Bpf.Packets;

namespace Couic.Tests.Bpf;

[Collection("bpf")]
public class VerdictTests
{
    private const ushort IPv4 = 0x0800;
    private const ushort IPv6 = 0x86dd;
    private const ushort Arp = 0x0806;
    private const ushort Tag = 0x8100;
    private const ushort ServiceTag = 0x88a8;
    private const ushort Session = 0x8864;
    private const ushort PppIPv4 = 0x0021;
    private const ushort PppIPv6 = 0x0057;

    // drop 198.51.100.0/24 203.0.113.7/32 2001:db8:bad::/48 2001:db8:1::7/128 fe80::/10; ignore 198.51.100.128/25 2001:db8:bad:1::/64
    private static readonly (string What, byte[] Packet, uint Verdict)[] Cases =
    [
        ("IPv4 not listed", Ethernet(IPv4, V4("192.0.2.9")), PlaneFixture.Pass),
        ("IPv4 in a dropped block", Ethernet(IPv4, V4("198.51.100.1")), PlaneFixture.Drop),
        ("IPv4 first of the block", Ethernet(IPv4, V4("198.51.100.0")), PlaneFixture.Drop),
        ("IPv4 just before the block", Ethernet(IPv4, V4("198.51.99.255")), PlaneFixture.Pass),
        ("IPv4 last before the ignored half", Ethernet(IPv4, V4("198.51.100.127")), PlaneFixture.Drop),
        ("IPv4 ignored in the dropped block", Ethernet(IPv4, V4("198.51.100.128")), PlaneFixture.Pass),
        ("IPv4 last of the ignored half", Ethernet(IPv4, V4("198.51.100.255")), PlaneFixture.Pass),
        ("IPv4 just after the block", Ethernet(IPv4, V4("198.51.101.0")), PlaneFixture.Pass),
        ("IPv4 host", Ethernet(IPv4, V4("203.0.113.7")), PlaneFixture.Drop),
        ("IPv4 neighbour of the host", Ethernet(IPv4, V4("203.0.113.6")), PlaneFixture.Pass),
        ("IPv4 to a dropped destination", Ethernet(IPv4, V4("192.0.2.9", "203.0.113.7")), PlaneFixture.Pass),
        ("IPv4 first fragment", Ethernet(IPv4, V4("203.0.113.7", fragment: 0x2000)), PlaneFixture.Drop),
        ("IPv4 later fragment", Ethernet(IPv4, V4("203.0.113.7", fragment: 0x0010)), PlaneFixture.Drop),
        ("IPv4 with options", Ethernet(IPv4, V4("203.0.113.7", headerWords: 15)), PlaneFixture.Drop),
        ("IPv4 TCP", Ethernet(IPv4, V4("203.0.113.7", protocol: 6)), PlaneFixture.Drop),
        ("IPv4 ICMP", Ethernet(IPv4, V4("203.0.113.7", protocol: 1)), PlaneFixture.Drop),
        ("IPv4 in one VLAN tag", Join(Vlan(Tag, IPv4), V4("203.0.113.7")), PlaneFixture.Drop),
        ("IPv4 in one service tag", Join(Vlan(ServiceTag, IPv4), V4("203.0.113.7")), PlaneFixture.Drop),
        ("IPv4 in two VLAN tags", Join(Vlan(ServiceTag, Tag), [0, 7], Big(IPv4), V4("203.0.113.7")), PlaneFixture.Drop),
        ("IPv4 in two equal tags", Join(Vlan(Tag, Tag), [0, 7], Big(IPv4), V4("203.0.113.7")), PlaneFixture.Drop),
        ("IPv4 not listed in two tags", Join(Vlan(ServiceTag, Tag), [0, 7], Big(IPv4), V4("192.0.2.9")), PlaneFixture.Pass),
        ("IPv4 in three tags", Tagged(IPv4, V4("203.0.113.7"), Tag, Tag, Tag), PlaneFixture.Drop),
        ("IPv4 in eight tags", Tagged(IPv4, V4("203.0.113.7"), [.. Enumerable.Repeat(Tag, 8)]), PlaneFixture.Drop),
        ("IPv4 in eight service tags", Tagged(IPv4, V4("203.0.113.7"), [.. Enumerable.Repeat(ServiceTag, 8)]), PlaneFixture.Drop),
        ("IPv4 in eight tags of both kinds", Tagged(IPv4, V4("203.0.113.7"), ServiceTag, Tag, ServiceTag, Tag, Tag, ServiceTag, Tag, Tag), PlaneFixture.Drop),
        ("IPv4 not listed in eight tags", Tagged(IPv4, V4("192.0.2.9"), [.. Enumerable.Repeat(Tag, 8)]), PlaneFixture.Pass),
        ("IPv6 in eight tags", Tagged(IPv6, V6("2001:db8:1::7"), [.. Enumerable.Repeat(Tag, 8)]), PlaneFixture.Drop),
        ("IPv6 not listed in eight tags", Tagged(IPv6, V6("2001:db8:2::1"), [.. Enumerable.Repeat(Tag, 8)]), PlaneFixture.Pass),
        ("solicitation in eight tags", Tagged(IPv6, V6("fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(135, 24)]), [.. Enumerable.Repeat(Tag, 8)]), PlaneFixture.Pass),
        ("ARP in eight tags", Tagged(Arp, new byte[28], [.. Enumerable.Repeat(Tag, 8)]), PlaneFixture.Pass),
        ("IPv4 in nine tags", Tagged(IPv4, V4("203.0.113.7"), [.. Enumerable.Repeat(Tag, 9)]), PlaneFixture.Drop),
        ("IPv4 not listed in nine tags", Tagged(IPv4, V4("192.0.2.9"), [.. Enumerable.Repeat(Tag, 9)]), PlaneFixture.Drop),
        ("ARP in nine service tags", Tagged(Arp, new byte[28], [.. Enumerable.Repeat(ServiceTag, 9)]), PlaneFixture.Drop),
        ("IPv4 in thirty tags", Tagged(IPv4, V4("192.0.2.9"), [.. Enumerable.Repeat(Tag, 30)]), PlaneFixture.Drop),
        ("IPv4 in a tag that Linux does not take off", Tagged(IPv4, V4("203.0.113.7"), 0x9100), PlaneFixture.Pass),
        ("IPv4 in PPPoE", Ethernet(Session, PppoeSession(PppIPv4, V4("203.0.113.7"))), PlaneFixture.Drop),
        ("IPv4 not listed in PPPoE", Ethernet(Session, PppoeSession(PppIPv4, V4("192.0.2.9"))), PlaneFixture.Pass),
        ("IPv4 in PPPoE with a short protocol", Ethernet(Session, PppoeSession(PppIPv4, V4("203.0.113.7"), compressed: true)), PlaneFixture.Drop),
        ("IPv4 in PPPoE of another version", Ethernet(Session, PppoeSession(PppIPv4, V4("203.0.113.7"), version: 0x27, code: 9)), PlaneFixture.Drop),
        ("IPv4 in PPPoE in one tag", Tagged(Session, PppoeSession(PppIPv4, V4("203.0.113.7")), Tag), PlaneFixture.Drop),
        ("IPv4 in PPPoE in eight tags", Tagged(Session, PppoeSession(PppIPv4, V4("203.0.113.7")), [.. Enumerable.Repeat(Tag, 8)]), PlaneFixture.Drop),
        ("IPv6 in PPPoE", Ethernet(Session, PppoeSession(PppIPv6, V6("2001:db8:1::7"))), PlaneFixture.Drop),
        ("IPv6 not listed in PPPoE", Ethernet(Session, PppoeSession(PppIPv6, V6("2001:db8:2::1"))), PlaneFixture.Pass),
        ("IPv6 in PPPoE with a short protocol", Ethernet(Session, PppoeSession(PppIPv6, V6("2001:db8:1::7"), compressed: true)), PlaneFixture.Drop),
        ("IPv6 in PPPoE in two tags", Tagged(Session, PppoeSession(PppIPv6, V6("2001:db8:1::7")), ServiceTag, Tag), PlaneFixture.Drop),
        ("router advertisement in PPPoE", Ethernet(Session, PppoeSession(PppIPv6, V6("fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(134, 16)]))), PlaneFixture.Pass),
        ("LCP in PPPoE", Ethernet(Session, PppoeSession(0xc021, V4("203.0.113.7"))), PlaneFixture.Pass),
        ("PPPoE discovery", Ethernet(0x8863, PppoeSession(PppIPv4, V4("203.0.113.7"))), PlaneFixture.Pass),
        ("PPPoE header without its last byte", Ethernet(Session, PppoeSession(PppIPv4, V4("203.0.113.7"))[..7]), PlaneFixture.Pass),
        ("IPv4 header without its last byte", Ethernet(IPv4, V4("203.0.113.7")[..19]), PlaneFixture.Pass),
        ("IPv4 header alone", Ethernet(IPv4, V4("203.0.113.7")[..20]), PlaneFixture.Drop),
        ("IPv4 without the options it announces", Ethernet(IPv4, V4("203.0.113.7", headerWords: 15)[..40]), PlaneFixture.Pass),
        ("IPv4 with a header of 4 words", Ethernet(IPv4, [0x44, .. V4("203.0.113.7")[1..]]), PlaneFixture.Pass),
        ("IPv4 that says version 6", Ethernet(IPv4, [0x65, .. V4("203.0.113.7")[1..]]), PlaneFixture.Pass),
        ("VLAN tag without its last byte", [.. Ethernet(Tag), 0, 7, 8], PlaneFixture.Pass),
        ("second VLAN tag missing", Vlan(Tag, Tag), PlaneFixture.Pass),
        ("ARP", Ethernet(Arp, new byte[28]), PlaneFixture.Pass),
        ("802.3 length", Ethernet(46, new byte[46]), PlaneFixture.Pass),
        ("Ethernet header alone", Ethernet(IPv4), PlaneFixture.Pass),
        ("IPv6 not listed", Ethernet(IPv6, V6("2001:db8:2::1")), PlaneFixture.Pass),
        ("IPv6 in a dropped block", Ethernet(IPv6, V6("2001:db8:bad::1")), PlaneFixture.Drop),
        ("IPv6 ignored in the dropped block", Ethernet(IPv6, V6("2001:db8:bad:1::1")), PlaneFixture.Pass),
        ("IPv6 after the ignored part", Ethernet(IPv6, V6("2001:db8:bad:2::")), PlaneFixture.Drop),
        ("IPv6 host", Ethernet(IPv6, V6("2001:db8:1::7")), PlaneFixture.Drop),
        ("IPv6 neighbour of the host", Ethernet(IPv6, V6("2001:db8:1::6")), PlaneFixture.Pass),
        ("IPv6 to a dropped destination", Ethernet(IPv6, V6("2001:db8:2::1", "2001:db8:1::7")), PlaneFixture.Pass),
        ("IPv6 with a hop-by-hop header", Ethernet(IPv6, V6("2001:db8:1::7", next: 0, payload: [Options(60), Options(17), new byte[8]])), PlaneFixture.Drop),
        ("IPv6 fragment", Ethernet(IPv6, V6("2001:db8:1::7", next: 44, payload: [Fragment(17, 8), new byte[8]])), PlaneFixture.Drop),
        ("IPv6 in one VLAN tag", Join(Vlan(Tag, IPv6), V6("2001:db8:1::7")), PlaneFixture.Drop),
        ("IPv6 in two VLAN tags", Join(Vlan(ServiceTag, Tag), [0, 7], Big(IPv6), V6("2001:db8:1::7")), PlaneFixture.Drop),
        ("IPv6 header without its last byte", Ethernet(IPv6, V6("2001:db8:1::7")[..39]), PlaneFixture.Pass),
        ("IPv6 header alone", Ethernet(IPv6, V6("2001:db8:1::7")[..40]), PlaneFixture.Drop),
        ("IPv6 that says version 4", Ethernet(IPv6, [0x40, .. V6("2001:db8:1::7")[1..]]), PlaneFixture.Pass),
        ("IPv4-mapped source in IPv6", Ethernet(IPv6, V6("::ffff:203.0.113.7")), PlaneFixture.Pass),
        ("link-local UDP", Ethernet(IPv6, V6("fe80::1")), PlaneFixture.Drop),
        ("link-local echo", Ethernet(IPv6, V6("fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(128)])), PlaneFixture.Drop),
        ("type before router solicitation", Ethernet(IPv6, V6("fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(132)])), PlaneFixture.Drop),
        ("router solicitation", Ethernet(IPv6, V6("fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(133, 8)])), PlaneFixture.Pass),
        ("router advertisement", Ethernet(IPv6, V6("fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(134, 16)])), PlaneFixture.Pass),
        ("neighbour solicitation", Ethernet(IPv6, V6("fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(135, 24)])), PlaneFixture.Pass),
        ("neighbour advertisement", Ethernet(IPv6, V6("febf::1", next: 58, hopLimit: 255, payload: [Icmp6(136, 24)])), PlaneFixture.Pass),
        ("redirect", Ethernet(IPv6, V6("fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(137, 40)])), PlaneFixture.Pass),
        ("type after redirect", Ethernet(IPv6, V6("fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(138)])), PlaneFixture.Drop),
        ("neighbour solicitation through a router", Ethernet(IPv6, V6("fe80::1", next: 58, hopLimit: 254, payload: [Icmp6(135, 24)])), PlaneFixture.Drop),
        ("neighbour solicitation from a listed host", Ethernet(IPv6, V6("2001:db8:1::7", next: 58, hopLimit: 255, payload: [Icmp6(135, 24)])), PlaneFixture.Pass),
        ("neighbour solicitation in a tag", Join(Vlan(Tag, IPv6), V6("fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(135, 24)])), PlaneFixture.Pass),
        ("solicitation after a hop-by-hop header", Ethernet(IPv6, V6("fe80::1", next: 0, hopLimit: 255, payload: [Options(58), Icmp6(135, 24)])), PlaneFixture.Pass),
        ("solicitation after a longer one", Ethernet(IPv6, V6("fe80::1", next: 0, hopLimit: 255, payload: [Options(58, 2), Icmp6(135, 24)])), PlaneFixture.Pass),
        ("solicitation after two options headers", Ethernet(IPv6, V6("fe80::1", next: 0, hopLimit: 255, payload: [Options(60), Options(58), Icmp6(135, 24)])), PlaneFixture.Pass),
        ("solicitation after three", Ethernet(IPv6, V6("fe80::1", next: 0, hopLimit: 255, payload: [Options(60), Options(60), Options(58), Icmp6(135, 24)])), PlaneFixture.Drop),
        ("solicitation in a fragment", Ethernet(IPv6, V6("fe80::1", next: 44, hopLimit: 255, payload: [Fragment(58), Icmp6(135, 24)])), PlaneFixture.Drop),
        ("solicitation cut after its type", Ethernet(IPv6, V6("fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(135, 24)[..1]])), PlaneFixture.Drop),
        ("options header that leads out of the frame", Ethernet(IPv6, V6("fe80::1", next: 0, hopLimit: 255, payload: [[58, 255, 0, 0, 0, 0, 0, 0], Icmp6(135, 24)])), PlaneFixture.Drop),
    ];

    public static TheoryData<string> Names => new(Cases.Select(c => c.What));

    [Theory]
    [MemberData(nameof(Names))]
    public void PacketGetsItsVerdict(string what)
    {
        using PlaneFixture plane = Listed();
        (_, byte[] packet, uint verdict) = Cases.Single(c => c.What == what);

        Assert.Equal(verdict, plane.Run(packet));
    }

    [Fact]
    public void EveryPacketIsCountedOnceWithItsBytes()
    {
        using PlaneFixture plane = Listed();
        foreach ((_, byte[] packet, _) in Cases)
        {
            plane.Run(packet);
        }

        var actions = new Counter[5];
        plane.Plane.ReadActions(actions);
        Assert.Equal((ulong)Cases.Count(c => c.Verdict == PlaneFixture.Drop), actions[1].Packets);
        Assert.Equal((ulong)Cases.Count(c => c.Verdict == PlaneFixture.Pass), actions[2].Packets);
        Assert.Equal((ulong)Cases.Sum(c => c.Packet.Length), actions[1].Bytes + actions[2].Bytes);
    }

    [Fact]
    public void FramesShorterThanTheirHeadersSay_AreCountedAsMalformed()
    {
        using PlaneFixture plane = Listed();
        foreach ((string what, byte[] packet, _) in Cases)
        {
            ulong before = plane.Plane.ReadMalformed().Packets;
            plane.Run(packet);
            bool malformed = what.Contains("without its last byte", StringComparison.Ordinal) || what.Contains("it announces", StringComparison.Ordinal)
                || what.Contains("that says", StringComparison.Ordinal) || what is "Ethernet header alone" or "PPPoE header without its last byte" or "second VLAN tag missing" or "IPv4 with a header of 4 words";
            Assert.True(plane.Plane.ReadMalformed().Packets - before == (malformed ? 1u : 0u), what);
        }
    }

    [Fact]
    public void EveryTruncationOfAPacketGetsTheVerdictOfTheReference()
    {
        using PlaneFixture plane = Listed();
        foreach ((string what, byte[] packet, uint verdict) in Cases)
        {
            Assert.True(ReferenceFilter.OfFrame(packet, IsDropped) == (verdict == PlaneFixture.Drop), what);
            for (int length = 14; length < packet.Length; length++)
            {
                bool dropped = ReferenceFilter.OfFrame(packet.AsSpan(0, length), IsDropped);
                Assert.True(plane.Run(packet[..length]) == (dropped ? PlaneFixture.Drop : PlaneFixture.Pass), $"{what}, {length} bytes");
            }
        }
    }

    [Fact]
    public void FramesWithMoreThanEightTags_HaveACounter_AndAreDropped()
    {
        using PlaneFixture plane = Listed();
        foreach ((string what, byte[] packet, _) in Cases)
        {
            ulong before = plane.Plane.ReadTooManyTags().Packets;
            plane.Run(packet);
            bool deep = what.Contains("nine", StringComparison.Ordinal) || what.Contains("thirty", StringComparison.Ordinal);
            Assert.True(plane.Plane.ReadTooManyTags().Packets - before == (deep ? 1u : 0u), what);
        }
    }

    [Fact]
    public void PacketsWithoutAnEthernetHeader_GetTheVerdictOfTheirSource()
    {
        using PlaneFixture plane = Listed();
        foreach ((string what, byte[] packet, uint verdict) in Cases)
        {
            if (packet.Length < 14 + 20 || packet.AsSpan(12, 2) is not ([0x08, 0x00] or [0x86, 0xdd]) || what.Contains("that says", StringComparison.Ordinal))
            {
                continue;
            }

            Assert.True(PlaneFixture.Run(plane.Programs.Ip, packet[14..]) == verdict, what);
        }

        Assert.Equal(PlaneFixture.Drop, PlaneFixture.Run(plane.Programs.Ip, V4("203.0.113.7")));
        Assert.Equal(PlaneFixture.Drop, PlaneFixture.Run(plane.Programs.Ip, V6("2001:db8:1::7")));
        Assert.Equal(PlaneFixture.Pass, PlaneFixture.Run(plane.Programs.Ip, V6("fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(135, 24)])));
        Assert.Equal(PlaneFixture.Pass, PlaneFixture.Run(plane.Programs.Ip, Ethernet(IPv4, V4("203.0.113.7"))));
        Assert.Equal(0ul, plane.Plane.ReadTooManyTags().Packets);
    }

    [Theory]
    [InlineData("192.0.2.9", "203.0.113.7", PlaneFixture.Drop)]
    [InlineData("203.0.113.7", "192.0.2.9", PlaneFixture.Pass)]
    [InlineData("198.51.100.200", "203.0.113.7", PlaneFixture.Drop)]
    [InlineData("203.0.113.7", "198.51.100.200", PlaneFixture.Pass)]
    public void DestinationAloneIsMatched(string source, string destination, uint verdict)
    {
        using PlaneFixture plane = Listed(PlaneFixture.Small with { MatchSource = false, MatchDestination = true });

        Assert.Equal(verdict, plane.Run(Ethernet(IPv4, V4(source, destination))));
    }

    [Theory]
    [InlineData("192.0.2.9", "192.0.2.8", PlaneFixture.Pass)]
    [InlineData("192.0.2.9", "203.0.113.7", PlaneFixture.Drop)]
    [InlineData("203.0.113.7", "192.0.2.9", PlaneFixture.Drop)]
    [InlineData("198.51.100.200", "203.0.113.7", PlaneFixture.Pass)]
    [InlineData("203.0.113.7", "198.51.100.200", PlaneFixture.Pass)]
    public void EitherAddress_IsMatched_IfBothAreConfigured(string source, string destination, uint verdict)
    {
        using PlaneFixture plane = Listed(PlaneFixture.Small with { MatchDestination = true });

        Assert.Equal(verdict, plane.Run(Ethernet(IPv4, V4(source, destination))));
    }

    [Fact]
    public void NeighbourDiscoverySurvivesAMatchOfItsDestination()
    {
        using PlaneFixture plane = Listed(PlaneFixture.Small with { MatchDestination = true });
        plane.Put(Policy.Drop, "::/0", slot: 20);

        Assert.Equal(PlaneFixture.Pass, plane.Run(Ethernet(IPv6, V6("fe80::2", "fe80::1", next: 58, hopLimit: 255, payload: [Icmp6(136, 24)]))));
        Assert.Equal(PlaneFixture.Drop, plane.Run(Ethernet(IPv6, V6("fe80::2", "fe80::1"))));
    }

    [Theory]
    [InlineData("0.0.0.0/0")]
    [InlineData("198.51.100.0/23")]
    [InlineData("198.51.100.77/32")]
    public void PrefixesOfAllLengthsDropUntilRemoved(string cidr)
    {
        using var plane = new PlaneFixture();
        byte[] packet = Ethernet(IPv4, V4("198.51.100.77"));
        Assert.Equal(PlaneFixture.Pass, plane.Run(packet));
        plane.Put(Policy.Drop, cidr);
        Assert.Equal(PlaneFixture.Drop, plane.Run(packet));
        plane.Put(Policy.Ignore, "198.51.100.77/32");
        Assert.Equal(PlaneFixture.Pass, plane.Run(packet));
        plane.Remove(Policy.Ignore, "198.51.100.77/32");
        Assert.Equal(PlaneFixture.Drop, plane.Run(packet));
        plane.Remove(Policy.Drop, cidr);
        Assert.Equal(PlaneFixture.Pass, plane.Run(packet));
    }

    [Theory]
    [InlineData("192.168.0.10", 2)]
    [InlineData("192.168.0.200", 1)]
    [InlineData("10.0.0.1", 0)]
    public void TheLongestPrefixIsTheOneThatIsCounted(string source, int counter)
    {
        using var plane = new PlaneFixture();
        plane.Put(Policy.Drop, "192.168.0.0/24", counter: 1, slot: 1);
        plane.Put(Policy.Drop, "192.168.0.0/25", counter: 2, slot: 2);

        plane.Run(Ethernet(IPv4, V4(source)), repeat: 3);

        var tags = new Counter[3];
        plane.Plane.ReadTags(Policy.Drop, tags);
        for (int i = 1; i < tags.Length; i++)
        {
            Assert.Equal(i == counter ? 3u : 0u, tags[i].Packets);
            Assert.True(plane.Plane.TryReadHits(Policy.Drop, PlaneFixture.Parse(i == 1 ? "192.168.0.0/24" : "192.168.0.0/25"), i, out EntryHits hits));
            Assert.Equal(i == counter ? 3u : 0u, hits.Packets);
            Assert.Equal(i == counter, hits.LastHit is not null);
        }
    }

    private static bool IsDropped(IPAddress source) =>
        (IsIn(source, "198.51.100.0/24") && !IsIn(source, "198.51.100.128/25")) || IsIn(source, "203.0.113.7/32") || IsIn(source, "2001:db8:1::7/128")
        || (IsIn(source, "2001:db8:bad::/48") && !IsIn(source, "2001:db8:bad:1::/64")) || IsIn(source, "fe80::/10");

    private static bool IsIn(IPAddress source, string text) =>
        IPNetwork.Parse(text) is var network && network.BaseAddress.AddressFamily == source.AddressFamily && network.Contains(source); // not a mapped one

    private static PlaneFixture Listed(PlaneOptions? options = null)
    {
        var plane = new PlaneFixture(options);
        plane.Put(Policy.Drop, "198.51.100.0/24", slot: 0);
        plane.Put(Policy.Drop, "203.0.113.7/32", slot: 1);
        plane.Put(Policy.Drop, "2001:db8:bad::/48", slot: 0);
        plane.Put(Policy.Drop, "2001:db8:1::7/128", slot: 1);
        plane.Put(Policy.Drop, "fe80::/10", slot: 2);
        plane.Put(Policy.Ignore, "198.51.100.128/25", slot: 0);
        plane.Put(Policy.Ignore, "2001:db8:bad:1::/64", slot: 0);
        return plane;
    }
}
