using System.Buffers.Binary;
using System.Net;
using Xunit;

namespace Couic.Tests.Bpf;

/// <summary>Frames made by hand.</summary>
internal static class Packets
{
    public const string LocalV4 = "192.0.2.1";
    public const string LocalV6 = "2001:db8::1";

    public static byte[] Ethernet(ushort protocol, params byte[][] parts) => [.. new byte[12], .. Big(protocol), .. Join(parts)];

    public static byte[] Vlan(ushort protocol, ushort next) => [.. Ethernet(protocol), 0x00, 0x07, .. Big(next)];

    public static byte[] V4(string source, string destination = LocalV4, byte protocol = 17, ushort fragment = 0, byte headerWords = 5)
    {
        byte[] header = new byte[headerWords * 4];
        header[0] = (byte)(0x40 | headerWords);
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(2), (ushort)(header.Length + 8));
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(6), fragment);
        header[8] = 64;
        header[9] = protocol;
        IPAddress.Parse(source).GetAddressBytes().CopyTo(header, 12);
        IPAddress.Parse(destination).GetAddressBytes().CopyTo(header, 16);
        return [.. header, .. new byte[8]];
    }

    public static byte[] V6(string source, string destination = LocalV6, byte next = 17, byte hopLimit = 64, params byte[][] payload)
    {
        byte[] body = payload.Length == 0 ? new byte[8] : Join(payload);
        byte[] header = new byte[40];
        header[0] = 0x60;
        BinaryPrimitives.WriteUInt16BigEndian(header.AsSpan(4), (ushort)body.Length);
        header[6] = next;
        header[7] = hopLimit;
        IPAddress.Parse(source).GetAddressBytes().CopyTo(header, 8);
        IPAddress.Parse(destination).GetAddressBytes().CopyTo(header, 24);
        return [.. header, .. body];
    }

    /// <summary>A frame with tags, outermost first, in front of a packet with its EtherType.</summary>
    public static byte[] Tagged(ushort protocol, byte[] packet, params ushort[] tags) =>
        [.. new byte[12], .. tags.SelectMany((tag, i) => (byte[])[.. Big(tag), 0, (byte)i]), .. Big(protocol), .. packet];

    /// <summary>A PPPoE session header and a PPP protocol of two bytes, or of one where it fits.</summary>
    public static byte[] PppoeSession(ushort protocol, byte[] packet, bool compressed = false, byte version = 0x11, byte code = 0) =>
        [version, code, 0, 1, .. Big((ushort)(packet.Length + 2)), .. compressed ? [(byte)protocol] : Big(protocol), .. packet];

    /// <summary>A hop-by-hop header with a router alert for multicast listener discovery.</summary>
    public static byte[] RouterAlert(byte next, ushort value = 0, bool last = false) =>
        last ? [next, 0, 1, 0, 5, 2, .. Big(value)] : [next, 0, 5, 2, .. Big(value), 1, 0];

    public static byte[] Icmp6(byte type, int length, byte code = 0) => [type, code, .. new byte[length - 2]];

    public static byte[] Udp(ushort source, ushort destination, int payload = 8, ushort? length = null) =>
        [.. Big(source), .. Big(destination), .. Big(length ?? (ushort)(8 + payload)), 0, 0, .. new byte[payload]];

    /// <summary>A hop-by-hop or destination options header of padding.</summary>
    public static byte[] Options(byte next, byte units = 0) => [next, units, 1, 4, 0, 0, 0, 0, .. new byte[units * 8]];

    public static byte[] Fragment(byte next, ushort offset = 0) => [next, 0, .. Big(offset), 0, 0, 0, 1];

    public static byte[] Icmp6(byte type) => [type, 0, 0, 0, 0, 0, 0, 0];

    public static byte[] Big(ushort number) => [(byte)(number >> 8), (byte)number];

    public static byte[] Join(params byte[][] parts) => [.. parts.SelectMany(p => p)];
}
