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

    /// <summary>A hop-by-hop or destination options header of padding.</summary>
    public static byte[] Options(byte next, byte units = 0) => [next, units, 1, 4, 0, 0, 0, 0, .. new byte[units * 8]];

    public static byte[] Fragment(byte next, ushort offset = 0) => [next, 0, .. Big(offset), 0, 0, 0, 1];

    public static byte[] Icmp6(byte type) => [type, 0, 0, 0, 0, 0, 0, 0];

    public static byte[] Big(ushort number) => [(byte)(number >> 8), (byte)number];

    public static byte[] Join(params byte[][] parts) => [.. parts.SelectMany(p => p)];
}
