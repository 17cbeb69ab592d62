using System.Buffers.Binary;
using System.Net;

namespace Couic.IntegrationTests.Harness;

/// <summary>Builds Ethernet frames by hand, also such as no kernel would send.</summary>
public static class Frame
{
    public const ushort IPv4 = 0x0800;
    public const ushort IPv6 = 0x86dd;
    public const ushort Arp = 0x0806;
    public const ushort Vlan = 0x8100;
    public const ushort ServiceVlan = 0x88a8;

    /// <summary>EtherType of IEEE 802 for local experiments: not IP, and the kernel ignores it.</summary>
    public const ushort LocalExperiment = 0x88b5;

    public const ushort PppoeDiscovery = 0x8863;
    public const ushort PppoeSession = 0x8864;
    public const ushort PppV4 = 0x0021;
    public const ushort PppV6 = 0x0057;
    public const byte Udp = 17;
    public const byte IcmpV6 = 58;

    /// <summary>The hardware address of the filter's side, see <see cref="Lab"/>; the source is filled in by the probe.</summary>
    private static ReadOnlySpan<byte> Destination => [0x02, 0, 0, 0, 0, 0x01];

    /// <summary>A frame whose tags stand outermost first, each as EtherType of the tag; ids count up from 100.</summary>
    public static byte[] Ethernet(ushort type, byte[] payload, params ReadOnlySpan<ushort> tags)
    {
        byte[] frame = new byte[14 + (4 * tags.Length) + payload.Length];
        Destination.CopyTo(frame);
        Span<byte> rest = frame.AsSpan(12);
        for (int i = 0; i < tags.Length; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(rest, tags[i]);
            BinaryPrimitives.WriteUInt16BigEndian(rest[2..], (ushort)(100 + i));
            rest = rest[4..];
        }

        BinaryPrimitives.WriteUInt16BigEndian(rest, type);
        payload.CopyTo(rest[2..]);
        return frame;
    }

    /// <summary>A UDP packet from an IPv4 or IPv6 source to the filter's address, with tags.</summary>
    public static byte[] UdpFrom(string source, params ReadOnlySpan<ushort> tags) =>
        IPAddress.Parse(source).GetAddressBytes().Length == 4
            ? Ethernet(IPv4, PacketV4(source, UdpHeader()), tags)
            : Ethernet(IPv6, PacketV6(source, Udp, UdpHeader()), tags);

    public static byte[] PacketV4(string source, byte[] payload, string destination = Lab.InsideV4, ushort fragment = 0, int optionBytes = 0)
    {
        int header = 20 + optionBytes;
        byte[] packet = new byte[header + payload.Length];
        packet[0] = (byte)(0x40 | (header / 4));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), fragment);
        packet[8] = 64;
        packet[9] = Udp;
        IPAddress.Parse(source).GetAddressBytes().CopyTo(packet, 12);
        IPAddress.Parse(destination).GetAddressBytes().CopyTo(packet, 16);
        packet.AsSpan(20, optionBytes).Fill(1);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), Checksum(packet.AsSpan(0, header)));
        payload.CopyTo(packet, header);
        return packet;
    }

    public static byte[] PacketV6(string source, byte nextHeader, byte[] payload, string destination = Lab.InsideV6, byte hopLimit = 64)
    {
        byte[] packet = new byte[40 + payload.Length];
        packet[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)payload.Length);
        packet[6] = nextHeader;
        packet[7] = hopLimit;
        IPAddress.Parse(source).GetAddressBytes().CopyTo(packet, 8);
        IPAddress.Parse(destination).GetAddressBytes().CopyTo(packet, 24);
        payload.CopyTo(packet, 40);
        return packet;
    }

    /// <summary>An extension header of eight bytes (hop-by-hop, destination options, routing, fragment) before a payload.</summary>
    public static byte[] Extension(byte nextHeader, byte[] payload, ushort fragment = 0)
    {
        byte[] packet = new byte[8 + payload.Length];
        packet[0] = nextHeader;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), fragment);
        payload.CopyTo(packet, 8);
        return packet;
    }

    /// <summary>A PPPoE session header and a PPP protocol before a packet.</summary>
    public static byte[] Pppoe(ushort protocol, byte[] packet)
    {
        byte[] session = new byte[8 + packet.Length];
        session[0] = 0x11;
        session[3] = 1;
        BinaryPrimitives.WriteUInt16BigEndian(session.AsSpan(4), (ushort)(packet.Length + 2));
        BinaryPrimitives.WriteUInt16BigEndian(session.AsSpan(6), protocol);
        packet.CopyTo(session, 8);
        return session;
    }

    /// <summary>A frame in tags of VLAN ID 0, which Linux takes off without a VLAN device.</summary>
    public static byte[] PriorityTagged(ushort type, byte[] payload, int tags)
    {
        byte[] frame = Ethernet(type, payload, [.. Enumerable.Repeat(Vlan, tags)]);
        for (int i = 0; i < tags; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(14 + (4 * i)), 0);
        }

        return frame;
    }

    /// <summary>A hop-by-hop header with the router alert of multicast listener discovery before a payload.</summary>
    public static byte[] RouterAlert(byte nextHeader, byte[] payload) => [nextHeader, 0, 5, 2, 0, 0, 1, 0, .. payload];

    /// <summary>UDP to the discard port with eight bytes; no checksum, which IPv4 allows and no filter looks at.</summary>
    public static byte[] UdpHeader() => UdpHeader(40000, 9);

    public static byte[] UdpHeader(ushort source, ushort destination)
    {
        byte[] datagram = new byte[16];
        BinaryPrimitives.WriteUInt16BigEndian(datagram, source);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(2), destination);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(4), 16);
        return datagram;
    }

    /// <summary>An ICMPv6 message of a type, with the checksum that the kernel insists on.</summary>
    public static byte[] IcmpV6Message(byte type, ReadOnlySpan<byte> body, string source, string destination)
    {
        byte[] message = new byte[4 + body.Length];
        message[0] = type;
        body.CopyTo(message.AsSpan(4));
        byte[] pseudo = [
            .. IPAddress.Parse(source).GetAddressBytes(), .. IPAddress.Parse(destination).GetAddressBytes(),
            0, 0, 0, (byte)message.Length, 0, 0, 0, IcmpV6, .. message];
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), Checksum(pseudo));
        return message;
    }

    /// <summary>The Internet checksum of RFC 1071 over an even number of bytes.</summary>
    private static ushort Checksum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        for (int i = 0; i + 1 < bytes.Length; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes[i..]);
        }

        while (sum > 0xffff)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return (ushort)~sum;
    }
}
