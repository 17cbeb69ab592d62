using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Couic.Demo;

/// <summary>Ethernet frames with a UDP packet. Source addresses are arbitrary, as an attacker's are.</summary>
internal static class DemoFrame
{
    /// <summary>Bytes 6 to 11, the source hardware address, hold the serial number of the frame.</summary>
    public const int SourceOffset = 6;

    private const ushort TypeIPv4 = 0x0800;
    private const ushort TypeIPv6 = 0x86dd;
    private const ushort TypeVlan = 0x8100;

    /// <summary>IEEE 802's EtherType for local experiments: not IP, so no rule applies.</summary>
    private const ushort TypeExperiment = 0x88b5;

    private const byte ProtocolUdp = 17;
    private const int UdpHeaderBytes = 8;
    private const ushort DiscardPort = 9;

    private static readonly IPAddress DestinationV4 = IPAddress.Parse("192.0.2.1");
    private static readonly IPAddress DestinationV6 = IPAddress.Parse("2001:db8::1");

    /// <summary>A packet from <paramref name="source"/>, after a VLAN tag if <paramref name="vlan"/> is not 0.</summary>
    public static byte[] Udp(IPAddress source, ushort vlan = 0)
    {
        bool v4 = source.AddressFamily == AddressFamily.InterNetwork;
        int ethernet = vlan == 0 ? 14 : 18;
        int header = v4 ? 20 : 40;
        byte[] frame = new byte[Math.Max(60, ethernet + header + UdpHeaderBytes)];
        Span<byte> type = WriteEthernet(frame, vlan);
        BinaryPrimitives.WriteUInt16BigEndian(type, v4 ? TypeIPv4 : TypeIPv6);
        Span<byte> packet = frame.AsSpan(ethernet);
        if (v4)
        {
            WriteIPv4(packet, source);
        }
        else
        {
            WriteIPv6(packet, source);
        }

        WriteUdp(packet[header..]);
        return frame;
    }

    /// <summary>A frame that always passes: after it has arrived, no earlier frame is still under way.</summary>
    public static byte[] Marker()
    {
        byte[] frame = new byte[60];
        BinaryPrimitives.WriteUInt16BigEndian(WriteEthernet(frame, 0), TypeExperiment);
        return frame;
    }

    /// <summary>Writes destination and tag; returns the offset of the EtherType.</summary>
    private static Span<byte> WriteEthernet(Span<byte> frame, ushort vlan)
    {
        frame[..6].Fill(0xff);
        if (vlan == 0)
        {
            return frame[12..];
        }

        BinaryPrimitives.WriteUInt16BigEndian(frame[12..], TypeVlan);
        BinaryPrimitives.WriteUInt16BigEndian(frame[14..], vlan);
        return frame[16..];
    }

    private static void WriteIPv4(Span<byte> packet, IPAddress source)
    {
        packet[0] = 0x45; // version 4, five words of header
        BinaryPrimitives.WriteUInt16BigEndian(packet[2..], 20 + UdpHeaderBytes);
        packet[8] = 64;
        packet[9] = ProtocolUdp;
        _ = source.TryWriteBytes(packet[12..], out _);
        _ = DestinationV4.TryWriteBytes(packet[16..], out _);
        BinaryPrimitives.WriteUInt16BigEndian(packet[10..], Checksum(packet[..20]));
    }

    private static void WriteIPv6(Span<byte> packet, IPAddress source)
    {
        packet[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(packet[4..], UdpHeaderBytes);
        packet[6] = ProtocolUdp;
        packet[7] = 64;
        _ = source.TryWriteBytes(packet[8..], out _);
        _ = DestinationV6.TryWriteBytes(packet[24..], out _);
    }

    private static void WriteUdp(Span<byte> datagram)
    {
        BinaryPrimitives.WriteUInt16BigEndian(datagram, 40_000);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[2..], DiscardPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram[4..], UdpHeaderBytes);
    }

    /// <summary>The Internet checksum (RFC 1071) of an even number of bytes whose checksum field is 0.</summary>
    private static ushort Checksum(ReadOnlySpan<byte> header)
    {
        uint sum = 0;
        for (int i = 0; i < header.Length; i += 2)
        {
            sum += BinaryPrimitives.ReadUInt16BigEndian(header[i..]);
        }

        sum = (sum & 0xffff) + (sum >> 16);
        return (ushort)~(sum + (sum >> 16));
    }
}
