using static Couic.Tests.Bpf.Packets;

namespace Couic.Tests.Bpf;

/// <summary>IPv6 packets that keep a link alive, and such as only look like them.</summary>
internal static class LinkPackets
{
    private const string Host = "fe80::1";
    private const string Global = "2001:db8:7::1";
    private const string Unspecified = "::";
    private const string AllNodes = "ff02::1";
    private const string AllRouters = "ff02::2";
    private const string SolicitedNode = "ff02::1:ff00:1";
    private const string ListenerReports = "ff02::16";
    private const string DhcpServers = "ff02::1:2";
    private const byte Icmp = 58;

    public static (string What, byte[] Packet, bool Passes)[] All { get; } =
    [
        ("router solicitation", Discovery(133, 8, Host, AllRouters), true),
        ("router solicitation without an address", Discovery(133, 8, Unspecified, AllRouters), true),
        ("router solicitation from a global address", Discovery(133, 8, Global, AllRouters), true),
        ("router advertisement", Discovery(134, 16, Host, AllNodes), true),
        ("router advertisement with options", Discovery(134, 64, Host, AllNodes), true),
        ("neighbour solicitation", Discovery(135, 24, Host, SolicitedNode), true),
        ("neighbour solicitation from a global address", Discovery(135, 32, Global, SolicitedNode), true),
        ("neighbour solicitation of a known neighbour", Discovery(135, 32, Global, LocalV6), true),
        ("duplicate address detection", Discovery(135, 24, Unspecified, SolicitedNode), true),
        ("neighbour advertisement", Discovery(136, 24, Host, AllNodes), true),
        ("neighbour advertisement from a global address", Discovery(136, 32, Global, LocalV6), true),
        ("redirect", Discovery(137, 40, Host, LocalV6), true),
        ("general query", Listener(130, 24, Host, AllNodes), true),
        ("general query of version 2", Listener(130, 28, Host, AllNodes), true),
        ("query for a group of any scope", Listener(130, 28, Host, "ff0e::7"), true),
        ("query with its padding first", Listener(130, 28, Host, AllNodes, header: RouterAlert(Icmp, last: true)), true),
        ("query padded by two single octets", Listener(130, 28, Host, AllNodes, header: [Icmp, 0, 5, 2, 0, 0, 0, 0]), true),
        ("report", Listener(131, 24, Host, "ff02::1:ff00:7"), true),
        ("report without an address", Listener(131, 24, Unspecified, "ff02::1:ff00:7"), true),
        ("done", Listener(132, 24, Host, AllRouters), true),
        ("report of version 2", Listener(143, 28, Host, ListenerReports), true),
        ("report of version 2 without an address", Listener(143, 28, Unspecified, ListenerReports), true),
        ("empty report of version 2", Listener(143, 8, Host, ListenerReports), true),
        ("DHCPv6 solicit", Dhcp(546, 547, Host, DhcpServers), true),
        ("DHCPv6 solicit with a hop limit of 1", Dhcp(546, 547, Host, DhcpServers, hopLimit: 1), true),
        ("DHCPv6 solicit with a hop limit of 255", Dhcp(546, 547, Host, DhcpServers, hopLimit: 255), true),
        ("DHCPv6 request to one server", Dhcp(546, 547, Host, "fe80::2"), true),
        ("DHCPv6 reply", Dhcp(547, 546, Host, "fe80::2"), true),

        ("neighbour solicitation that a router has forwarded", Discovery(135, 24, Global, LocalV6, hopLimit: 254), false),
        ("router advertisement with the hop limit of a query", Discovery(134, 16, Host, AllNodes, hopLimit: 1), false),
        ("router solicitation with a hop limit of 0", Discovery(133, 8, Host, AllRouters, hopLimit: 0), false),
        ("router advertisement from a global address", Discovery(134, 16, Global, AllNodes), false),
        ("router advertisement without an address", Discovery(134, 16, Unspecified, AllNodes), false),
        ("redirect from a global address", Discovery(137, 40, Global, LocalV6), false),
        ("neighbour advertisement without an address", Discovery(136, 24, Unspecified, AllNodes), false),
        ("neighbour solicitation from a multicast address", Discovery(135, 24, AllNodes, SolicitedNode), false),
        ("neighbour solicitation from the loopback address", Discovery(135, 24, "::1", SolicitedNode), false),
        ("neighbour solicitation from a mapped address", Discovery(135, 24, "::ffff:203.0.113.7", SolicitedNode), false),
        ("duplicate address detection to one host", Discovery(135, 24, Unspecified, LocalV6), false),
        ("duplicate address detection to all nodes", Discovery(135, 24, Unspecified, AllNodes), false),
        ("type before router solicitation", Discovery(132, 24, Host, AllNodes), false),
        ("type after redirect", Discovery(138, 40, Host, AllNodes), false),
        ("echo request with a hop limit of 255", Discovery(128, 24, Host, LocalV6), false),
        ("neighbour solicitation with a code", Discovery(135, 24, Host, SolicitedNode, code: 1), false),
        ("router solicitation cut in the message", Discovery(133, 7, Host, AllRouters), false),
        ("router advertisement cut in the message", Discovery(134, 15, Host, AllNodes), false),
        ("neighbour solicitation without its target", Discovery(135, 23, Host, SolicitedNode), false),
        ("neighbour advertisement without its target", Discovery(136, 8, Host, AllNodes), false),
        ("redirect without its target", Discovery(137, 8, Host, LocalV6), false),
        ("neighbour solicitation longer than its packet", Said(Discovery(135, 24, Host, SolicitedNode), 23), false),
        ("neighbour solicitation in a packet of no length", Said(Discovery(135, 24, Host, SolicitedNode), 0), false),
        ("neighbour solicitation in a fragment", V6(Host, SolicitedNode, 44, 255, Fragment(Icmp), Icmp6(135, 24)), false),
        ("neighbour solicitation after a routing header", V6(Host, SolicitedNode, 43, 255, Options(Icmp), Icmp6(135, 24)), false),
        ("UDP with a hop limit of 255", V6(Host, LocalV6, 17, 255, Udp(5353, 5353)), false),
        ("TCP with a hop limit of 255", V6(Global, LocalV6, 6, 255, new byte[40]), false),

        ("query with a hop limit of 2", Listener(130, 28, Host, AllNodes, hopLimit: 2), false),
        ("query with a hop limit of 255", Listener(130, 28, Host, AllNodes, hopLimit: 255), false),
        ("query from a global address", Listener(130, 28, Global, AllNodes), false),
        ("query without an address", Listener(130, 28, Unspecified, AllNodes), false),
        ("report from a global address", Listener(143, 28, Global, ListenerReports), false),
        ("report to one host", Listener(143, 28, Host, LocalV6), false),
        ("report without a hop-by-hop header", V6(Host, ListenerReports, Icmp, 1, Icmp6(143, 28)), false),
        ("report without a router alert", Listener(143, 28, Host, ListenerReports, header: Options(Icmp)), false),
        ("report with another router alert", Listener(143, 28, Host, ListenerReports, header: RouterAlert(Icmp, value: 1)), false),
        ("report in a destination options header", V6(Host, ListenerReports, 60, 1, RouterAlert(Icmp), Icmp6(143, 28)), false),
        ("report after two headers", V6(Host, ListenerReports, 0, 1, RouterAlert(60), Options(Icmp), Icmp6(143, 28)), false),
        ("report in a fragment", V6(Host, ListenerReports, 0, 1, RouterAlert(44), Fragment(Icmp), Icmp6(143, 28)), false),
        ("report with a code", Listener(143, 28, Host, ListenerReports, code: 1), false),
        ("short query", Listener(130, 23, Host, AllNodes), false),
        ("short report", Listener(143, 7, Host, ListenerReports), false),
        ("query longer than its packet", Said(Listener(130, 24, Host, AllNodes), 31), false),
        ("echo request with a router alert", Listener(128, 28, Host, AllNodes), false),
        ("router advertisement with a router alert and a hop limit of 1", Listener(134, 28, Host, AllNodes), false),
        ("UDP with a router alert", V6(Host, AllNodes, 0, 1, RouterAlert(17), Udp(546, 547)), false),

        ("DHCPv6 reply from a global address", Dhcp(547, 546, Global, "fe80::2"), false),
        ("DHCPv6 solicit from a global address", Dhcp(546, 547, Global, DhcpServers), false),
        ("DHCPv6 solicit without an address", Dhcp(546, 547, Unspecified, DhcpServers), false),
        ("DHCPv6 solicit to all nodes", Dhcp(546, 547, Host, AllNodes), false),
        ("DHCPv6 reply to a group", Dhcp(547, 546, Host, AllNodes), false),
        ("UDP from another port to a DHCPv6 client", Dhcp(40000, 546, Host, "fe80::2"), false),
        ("UDP from a DHCPv6 server to another port", Dhcp(547, 53, Host, "fe80::2"), false),
        ("UDP from port 546 to itself", Dhcp(546, 546, Host, "fe80::2"), false),
        ("TCP between the ports of DHCPv6", V6(Host, "fe80::2", 6, 64, [.. Udp(547, 546), .. new byte[20]]), false),
        ("DHCPv6 without a message", V6(Host, "fe80::2", 17, 64, Udp(547, 546, payload: 3)), false),
        ("DHCPv6 that says it is longer than its packet", V6(Host, "fe80::2", 17, 64, Udp(547, 546, payload: 12, length: 21)), false),
        ("DHCPv6 that says it is shorter than a message", V6(Host, "fe80::2", 17, 64, Udp(547, 546, payload: 12, length: 11)), false),
        ("DHCPv6 in a fragment", V6(Host, "fe80::2", 44, 64, Fragment(17), Udp(547, 546)), false),
        ("DHCPv6 after a hop-by-hop header", V6(Host, "fe80::2", 0, 64, Options(17), Udp(547, 546)), false),
        ("other UDP from a link-local address", V6(Host, "fe80::2"), false),
    ];

    private static byte[] Discovery(byte type, int length, string source, string destination, byte hopLimit = 255, byte code = 0) =>
        V6(source, destination, Icmp, hopLimit, Icmp6(type, length, code));

    private static byte[] Listener(byte type, int length, string source, string destination, byte hopLimit = 1, byte code = 0, byte[]? header = null) =>
        V6(source, destination, 0, hopLimit, header ?? RouterAlert(Icmp), Icmp6(type, length, code));

    private static byte[] Dhcp(ushort from, ushort to, string source, string destination, byte hopLimit = 64) =>
        V6(source, destination, 17, hopLimit, Udp(from, to, payload: 20));

    /// <summary>The same packet with another length in its header.</summary>
    private static byte[] Said(byte[] packet, ushort length) => [.. packet[..4], .. Big(length), .. packet[6..]];
}
