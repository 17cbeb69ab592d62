using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Real packets against the shipped daemon, in both modes that a veth pair has.</summary>
public sealed class PacketTests
{
    private const string LinkLocal = "fe80::42";
    private const byte HopByHop = 0;
    private const byte FragmentHeader = 44;
    private const byte DestinationOptions = 60;
    private const byte EchoRequest = 128;
    private const ushort MoreFragments = 0x2000;

    private static readonly (string Policy, string Cidr)[] Rules =
    [
        ("drop", "198.51.100.0/24"), ("ignore", "198.51.100.10/32"),
        ("drop", "203.0.113.7/32"),
        ("drop", "203.0.114.77/24"), // host bits are cleared
        ("drop", "172.16.0.0/12"), ("ignore", "172.16.5.0/24"), ("drop", "172.16.5.128/25"),
        ("drop", "2001:db8:bad::/48"), ("ignore", "2001:db8:bad:600d::/64"),
        ("drop", "2001:db8:1::5/128"),
        ("drop", "fe80::/10"),
        ("drop", "::ffff:192.0.2.9/128"), // an IPv6 entry, which no IPv4 packet matches
    ];

    private static readonly (string Source, bool Passes)[] Sources =
    [
        ("192.0.2.1", true), ("192.0.2.9", true),
        ("198.51.100.0", false), ("198.51.100.255", false), ("198.51.99.255", true), ("198.51.101.0", true), ("198.51.100.10", true),
        ("203.0.113.7", false), ("203.0.113.6", true), ("203.0.113.8", true),
        ("203.0.114.1", false), ("203.0.114.77", false), ("203.0.115.1", true),
        ("172.16.0.1", false), ("172.31.255.255", false), ("172.32.0.0", true), ("172.15.255.255", true),
        ("172.16.5.1", true), ("172.16.5.200", true), ("172.16.6.1", false),
        ("2001:db8:bad::1", false), ("2001:db8:bad:ffff::", false), ("2001:db8:bac:ffff::1", true),
        ("2001:db8:bad:600d::1", true), ("2001:db8:bad:600e::1", false),
        ("2001:db8:1::5", false), ("2001:db8:1::4", true), ("2001:db8:1::6", true),
        (LinkLocal, false), ("fec0::1", true), ("::ffff:192.0.2.9", false),
    ];

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void EverySource_GetsItsVerdict_InUpToEightTags(string mode)
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = mode });
        AddRules(daemon);
        ushort[][] stacks = [[], [Frame.Vlan], [Frame.ServiceVlan], [Frame.ServiceVlan, Frame.Vlan], [Frame.Vlan, Frame.Vlan], [Frame.Vlan, Frame.Vlan, Frame.Vlan],
            [.. Enumerable.Repeat(Frame.Vlan, 8)], [.. Enumerable.Repeat(Frame.ServiceVlan, 8)]];
        foreach (ushort[] tags in stacks)
        {
            bool[] arrived = lab.Probe.Send([.. Sources.Select(s => Frame.UdpFrom(s.Source, tags))]);
            AssertVerdicts($"{mode}, {tags.Length} tags", [.. Sources.Select(s => (s.Source, s.Passes))], arrived);
        }
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void UnusualFramesGetTheVerdictOfTheirSourceOrPass(string mode)
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = mode });
        AddRules(daemon);
        (string Name, bool Passes, byte[] Bytes)[] frames = [.. UnusualFrames()];
        AssertVerdicts(mode, [.. frames.Select(f => (f.Name, f.Passes))], lab.Probe.Send([.. frames.Select(f => f.Bytes)]));
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void NeighbourDiscoverySurvivesADropOfLinkLocalSources(string mode)
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = mode });
        daemon.Api.Add("drop", "fe80::/10");
        byte[] discovery = [133, 134, 135, 136, 137];
        List<(string Name, bool Passes)> expected = [.. discovery.Select(type => ($"ICMPv6 type {type}", true)), ("echo request", false)];
        bool[] arrived = lab.Probe.Send([.. discovery.Append(EchoRequest).Select(type => Frame.Ethernet(
            Frame.IPv6,
            Frame.PacketV6(
                LinkLocal, Frame.IcmpV6, Frame.IcmpV6Message(type, new byte[28], LinkLocal, Lab.InsideV6), hopLimit: 255)))]);
        AssertVerdicts(mode, expected, arrived);

        // Only from this link, and never in a fragment.
        byte[] solicitation = Frame.IcmpV6Message(135, new byte[28], LinkLocal, Lab.InsideV6);
        Assert.Equal(
            [false, false, true],
            lab.Probe.Send(
                Frame.Ethernet(Frame.IPv6, Frame.PacketV6(LinkLocal, Frame.IcmpV6, solicitation, hopLimit: 254)),
                Frame.Ethernet(Frame.IPv6, Frame.PacketV6(LinkLocal, FragmentHeader, Frame.Extension(Frame.IcmpV6, solicitation), hopLimit: 255)),
                Frame.Ethernet(Frame.IPv6, Frame.PacketV6(LinkLocal, HopByHop, Frame.Extension(Frame.IcmpV6, solicitation), hopLimit: 255))));

        // The kernel's own exchange: an echo to a neighbour that it has to look for first.
        _ = Shell.Run(lab.Outside, "ip", "neigh", "flush", "all");
        Assert.Equal(0, Shell.Run(lab.Outside, "ping", "-6", "-c", "1", "-W", "5", Lab.InsideV6).ExitCode);
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void EveryIPv6AddressListed_TheLinkStaysAlive_AndNothingElsePasses(string mode)
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = mode });
        foreach (string half in (string[])["::/1", "8000::/1"])
        {
            daemon.Api.Add("drop", half);
        }

        byte[] solicitation = Frame.IcmpV6Message(135, new byte[20], "::", "ff02::1:ff00:1");
        byte[] report = Frame.IcmpV6Message(143, new byte[24], LinkLocal, "ff02::16");
        byte[] query = Frame.IcmpV6Message(130, new byte[24], LinkLocal, "ff02::1");
        (string Name, bool Passes, byte[] Packet)[] packets =
        [
            ("duplicate address detection", true, Frame.PacketV6("::", Frame.IcmpV6, solicitation, "ff02::1:ff00:1", 255)),
            ("duplicate address detection through a router", false, Frame.PacketV6("::", Frame.IcmpV6, solicitation, "ff02::1:ff00:1", 254)),
            ("solicitation from a global address", true, Frame.PacketV6("2001:db8::7", Frame.IcmpV6, solicitation, Lab.InsideV6, 255)),
            ("report", true, Frame.PacketV6(LinkLocal, HopByHop, Frame.RouterAlert(Frame.IcmpV6, report), "ff02::16", 1)),
            ("report without a router alert", false, Frame.PacketV6(LinkLocal, HopByHop, Frame.Extension(Frame.IcmpV6, report), "ff02::16", 1)),
            ("query", true, Frame.PacketV6(LinkLocal, HopByHop, Frame.RouterAlert(Frame.IcmpV6, query), "ff02::1", 1)),
            ("query from a global address", false, Frame.PacketV6("2001:db8::7", HopByHop, Frame.RouterAlert(Frame.IcmpV6, query), "ff02::1", 1)),
            ("DHCPv6 reply", true, Frame.PacketV6(LinkLocal, Frame.Udp, Frame.UdpHeader(547, 546), "fe80::2")),
            ("DHCPv6 reply from a global address", false, Frame.PacketV6("2001:db8::7", Frame.Udp, Frame.UdpHeader(547, 546), "fe80::2")),
            ("UDP to another port", false, Frame.PacketV6(LinkLocal, Frame.Udp, Frame.UdpHeader(547, 53), "fe80::2")),
            ("echo request", false, Frame.PacketV6(LinkLocal, Frame.IcmpV6, Frame.IcmpV6Message(EchoRequest, new byte[24], LinkLocal, Lab.InsideV6), hopLimit: 255)),
        ];
        AssertVerdicts(mode, [.. packets.Select(p => (p.Name, p.Passes))], lab.Probe.Send([.. packets.Select(p => Frame.Ethernet(Frame.IPv6, p.Packet))]));
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void TagsOfVlanIdZero_InAnyNumber_HideNoListedSource(string mode)
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = mode });
        daemon.Api.Add("drop", "10.77.0.9/32");
        using Socket server = lab.Inside.Do(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        server.Bind(new IPEndPoint(IPAddress.Any, 9)); // the port of Frame.UdpHeader
        server.ReceiveTimeout = 5000;
        EndPoint from = new IPEndPoint(IPAddress.Any, 0);
        for (int count = 0; count <= 11; count++)
        {
            // The listed one first: what arrives is the other, as long as the filter reads that many tags.
            lab.Probe.Send([.. new[] { "10.77.0.9", "10.77.0.8" }.Select(source => Frame.PriorityTagged(Frame.IPv4, Frame.PacketV4(source, Frame.UdpHeader()), count))]);
            if (count <= 8)
            {
                server.ReceiveFrom(new byte[64], ref from);
                Assert.Equal("10.77.0.8", ((IPEndPoint)from).Address.ToString());
            }

            Assert.Equal(0, server.Available);
        }

        Assert.Equal(6, Stats.Metric(daemon, "couic_frames_too_many_tags_total"));
    }

    [Fact]
    public void ATunDevice_PacketsOfAListedSource_AreDropped()
    {
        using Lab lab = new();
        using TunDevice tun = new(lab.Inside, "tun7", "10.78.0.1/24");
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = "auto", Interfaces = [Lab.Interface, "tun7"] });
        using Socket server = lab.Inside.Do(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        server.Bind(new IPEndPoint(IPAddress.Any, 9)); // the port of Frame.UdpHeader
        server.ReceiveTimeout = 5000;
        daemon.Api.Add("drop", "10.78.0.3/32", "four");
        daemon.Api.Add("drop", "fd78::3/128", "six");
        foreach (string source in (string[])["10.78.0.3", "10.78.0.2"])
        {
            tun.Write(Frame.PacketV4(source, Frame.UdpHeader(), "10.78.0.1"));
        }

        tun.Write(Frame.PacketV6("fd78::3", Frame.Udp, Frame.UdpHeader(), "fd78::1"));
        EndPoint from = new IPEndPoint(IPAddress.Any, 0);
        server.ReceiveFrom(new byte[64], ref from);
        Assert.Equal("10.78.0.2", ((IPEndPoint)from).Address.ToString());
        Assert.Equal((1, 1), (Stats.TagPackets(daemon, "drop", "four"), Stats.TagPackets(daemon, "drop", "six")));
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void TheLongestPrefixDecidesWhichEntryIsCounted(string mode)
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = mode });
        daemon.Api.Add("drop", "192.168.0.0/24", "wide");
        daemon.Api.Add("drop", "192.168.0.0/25", "narrow");
        string[] sources = [
            .. Enumerable.Repeat("192.168.0.10", 3), .. Enumerable.Repeat("192.168.0.200", 5), "10.0.0.1"];
        bool[] arrived = lab.Probe.Passes(sources);
        Assert.Equal(sources.Select(s => s == "10.0.0.1"), arrived);
        Assert.Equal(3, Stats.TagPackets(daemon, "drop", "narrow"));
        Assert.Equal(5, Stats.TagPackets(daemon, "drop", "wide"));
    }

    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void ARemovedEntryDropsNothingAnyMore(string mode)
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = mode });
        string[] sources = ["198.51.100.7", "2001:db8::7"];
        foreach (string source in sources)
        {
            string cidr = source.Contains(':', StringComparison.Ordinal) ? source + "/128" : source + "/32";
            Assert.True(lab.Probe.Passes(source));
            daemon.Api.Add("drop", cidr);
            Assert.False(lab.Probe.Passes(source));
            daemon.Api.Remove("drop", cidr);
            Assert.True(lab.Probe.Passes(source));
        }

        // Without the longer prefix the shorter one holds again.
        daemon.Api.Add("drop", "198.51.100.0/24");
        daemon.Api.Add("ignore", "198.51.100.0/25");
        Assert.Equal([true, false], lab.Probe.Passes(["198.51.100.7", "198.51.100.200"]));
        daemon.Api.Remove("ignore", "198.51.100.0/25");
        Assert.Equal([false, false], lab.Probe.Passes(["198.51.100.7", "198.51.100.200"]));
    }

    /// <summary>Four ends a second apart: a timer that is slower than a second would be late for most of them.</summary>
    [Theory]
    [InlineData("generic")]
    [InlineData("native")]
    public void AnEntry_ExpiresWithinASecondOfItsTime_AndMayBeAddedAgain(string mode)
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Mode = mode });
        DateTimeOffset first = DateTimeOffset.FromUnixTimeSeconds(DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 3);
        (string Source, DateTimeOffset End)[] entries = [.. Enumerable.Range(0, 4).SelectMany(i => new[] { ($"198.51.100.{i}", first.AddSeconds(i)), ($"2001:db8::{i}", first.AddSeconds(i)) })];
        foreach ((string source, DateTimeOffset end) in entries)
        {
            daemon.Api.Add("drop", source + (source.Contains(':', StringComparison.Ordinal) ? "/128" : "/32"), expiration: end.ToUnixTimeSeconds());
        }

        var late = new TimeSpan?[entries.Length];
        Eventually.Holds(
            () =>
            {
                DateTimeOffset before = DateTimeOffset.UtcNow;
                bool[] passes = lab.Probe.Passes(entries.Select(e => e.Source));
                for (int i = 0; i < entries.Length; i++)
                {
                    Assert.True(!passes[i] || DateTimeOffset.UtcNow >= entries[i].End, $"{entries[i].Source} passes before its time");
                    late[i] ??= passes[i] ? before - entries[i].End : null;
                }

                return passes.All(p => p);
            },
            "all have expired");
        Assert.InRange(late.Order().ElementAt(entries.Length / 2)!.Value, TimeSpan.FromSeconds(-1), TimeSpan.FromSeconds(1));
        Assert.Equal(404, daemon.Api.Get("/v1/drop/198.51.100.0/32").Status);
        daemon.Api.Add("drop", "198.51.100.0/32");
    }

    [Fact]
    public void ProgramsOnTheMachineNoticeTheFilter()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab);
        using Socket server = lab.Inside.Do(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        using Socket client = lab.Outside.Do(() => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        IPEndPoint target = new(IPAddress.Parse(Lab.InsideV4), 7);
        server.Bind(target);
        server.ReceiveTimeout = 5000;
        byte[] received = new byte[8];
        daemon.Api.Add("drop", Lab.OutsideV4 + "/32");
        client.SendTo([1], target);
        Assert.NotEqual(0, Shell.Run(lab.Outside, "ping", "-c", "1", "-W", "1", Lab.InsideV4).ExitCode);
        daemon.Api.Remove("drop", Lab.OutsideV4 + "/32");
        client.SendTo([2], target);
        Assert.Equal(1, server.Receive(received));
        Assert.Equal(2, received[0]); // the first one never came
        Assert.Equal(0, Shell.Run(lab.Outside, "ping", "-c", "1", "-W", "5", Lab.InsideV4).ExitCode);
    }

    [Fact]
    public void MatchDestinationLooksAtTheOtherAddress()
    {
        using Lab lab = new();
        using Daemon daemon = Daemon.Start(lab, new DaemonOptions { Top = "match = [\"destination\"]" });
        daemon.Api.Add("drop", "198.51.100.7/32");
        bool[] arrived = lab.Probe.Send(
            Frame.UdpFrom("198.51.100.7"),
            Frame.Ethernet(Frame.IPv4, Frame.PacketV4("192.0.2.1", Frame.UdpHeader(), "198.51.100.7")));
        Assert.Equal([true, false], arrived);
    }

    private static IEnumerable<(string Name, bool Passes, byte[] Bytes)> UnusualFrames()
    {
        byte[] udp = Frame.UdpHeader();
        yield return ("ARP", true, Frame.Ethernet(Frame.Arp, new byte[28]));
        yield return ("not IP", true, Frame.Ethernet(Frame.LocalExperiment, new byte[46]));
        yield return ("nothing after the EtherType", true, Frame.Ethernet(Frame.IPv4, []));
        yield return ("two bytes after the tag, without which the kernel takes no tag", true, Frame.Ethernet(Frame.IPv4, [0x45, 0], Frame.Vlan));
        yield return ("nine tags, not listed", false, Frame.UdpFrom("192.0.2.1", [.. Enumerable.Repeat(Frame.Vlan, 9)]));
        yield return ("ARP in nine tags", false, Frame.Ethernet(Frame.Arp, new byte[28], [.. Enumerable.Repeat(Frame.ServiceVlan, 9)]));
        yield return ("PPPoE discovery", true, Frame.Ethernet(Frame.PppoeDiscovery, Frame.Pppoe(Frame.PppV4, Frame.PacketV4("198.51.100.7", udp))));
        yield return ("LCP in PPPoE", true, Frame.Ethernet(Frame.PppoeSession, Frame.Pppoe(0xc021, Frame.PacketV4("198.51.100.7", udp))));
        foreach (int length in new[] { 1, 12, 15, 16, 19 })
        {
            yield return ($"IPv4 cut to {length} bytes", true, Frame.Ethernet(Frame.IPv4, Frame.PacketV4("198.51.100.7", udp)[..length]));
        }

        foreach (int length in new[] { 1, 23, 24, 39 })
        {
            yield return ($"IPv6 cut to {length} bytes", true, Frame.Ethernet(Frame.IPv6, Frame.PacketV6("2001:db8:bad::1", Frame.Udp, udp)[..length]));
        }

        byte[] wrongV4 = Frame.PacketV4("198.51.100.7", udp);
        wrongV4[0] = 0x65;
        yield return ("IPv4 with the version of IPv6", true, Frame.Ethernet(Frame.IPv4, wrongV4));
        byte[] wrongV6 = Frame.PacketV6("2001:db8:bad::1", Frame.Udp, udp);
        wrongV6[0] = 0x40;
        yield return ("IPv6 with the version of IPv4", true, Frame.Ethernet(Frame.IPv6, wrongV6));

        foreach ((string v4, string v6, bool passes) in new[] { ("198.51.100.7", "2001:db8:bad::1", false), ("192.0.2.1", "2001:db8::1", true) })
        {
            foreach (ushort[] tags in new ushort[][] { [], [Frame.Vlan], [Frame.ServiceVlan, Frame.Vlan] })
            {
                yield return ($"IPv4 in PPPoE, {tags.Length} tags", passes, Frame.Ethernet(Frame.PppoeSession, Frame.Pppoe(Frame.PppV4, Frame.PacketV4(v4, udp)), tags));
                yield return ($"IPv6 in PPPoE, {tags.Length} tags", passes, Frame.Ethernet(Frame.PppoeSession, Frame.Pppoe(Frame.PppV6, Frame.PacketV6(v6, Frame.Udp, udp)), tags));
            }

            yield return ("IPv4 header alone", passes, Frame.Ethernet(Frame.IPv4, Frame.PacketV4(v4, [])));
            yield return ("IPv4 with options", passes, Frame.Ethernet(Frame.IPv4, Frame.PacketV4(v4, udp, optionBytes: 40)));
            yield return ("IPv4 first fragment", passes, Frame.Ethernet(Frame.IPv4, Frame.PacketV4(v4, udp, fragment: MoreFragments)));
            yield return ("IPv4 later fragment", passes, Frame.Ethernet(Frame.IPv4, Frame.PacketV4(v4, udp, fragment: 185)));
            yield return ("IPv6 header alone", passes, Frame.Ethernet(Frame.IPv6, Frame.PacketV6(v6, Frame.Udp, [])));
            yield return ("IPv6 hop-by-hop", passes, Frame.Ethernet(Frame.IPv6, Frame.PacketV6(v6, HopByHop, Frame.Extension(Frame.Udp, udp))));
            yield return ("IPv6 two extensions", passes, Frame.Ethernet(
                Frame.IPv6, Frame.PacketV6(v6, HopByHop, Frame.Extension(DestinationOptions, Frame.Extension(Frame.Udp, udp)))));
            yield return ("IPv6 first fragment", passes, Frame.Ethernet(
                Frame.IPv6, Frame.PacketV6(v6, FragmentHeader, Frame.Extension(Frame.Udp, udp, fragment: 1))));
            yield return ("IPv6 later fragment", passes, Frame.Ethernet(
                Frame.IPv6, Frame.PacketV6(v6, FragmentHeader, Frame.Extension(Frame.Udp, udp, fragment: 1480))));
            yield return ("largest frame", passes, Frame.Ethernet(Frame.IPv4, Frame.PacketV4(v4, new byte[1480])));
        }
    }

    private static void AddRules(Daemon daemon)
    {
        foreach ((string policy, string cidr) in Rules)
        {
            daemon.Api.Add(policy, cidr);
        }
    }

    private static void AssertVerdicts(string where, IReadOnlyList<(string Name, bool Passes)> expected, bool[] arrived)
    {
        IEnumerable<string> wrong = expected.Select((e, i) => (e, i)).Where(x => arrived[x.i] != x.e.Passes)
            .Select(x => string.Create(CultureInfo.InvariantCulture, $"{x.i}: {x.e.Name} should {(x.e.Passes ? "pass" : "be dropped")}"));
        Assert.True(arrived.Length == expected.Count);
        Assert.True(!wrong.Any(), $"{where}: {string.Join("; ", wrong)}");
    }
}
