using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Couic.Tests.Bpf;

/// <summary>
/// A second reading of frames, written from the standards and from what Linux does, for comparison with the XDP program: whether a
/// frame is dropped, given what is listed (after <c>ignore</c>). Addresses are compared by their source alone.
/// </summary>
internal static class ReferenceFilter
{
    private const int MostTags = 8;

    public static bool OfFrame(ReadOnlySpan<byte> frame, Func<IPAddress, bool> isDropped)
    {
        if (!TryRead16(frame, 12, out int type))
        {
            return false;
        }

        ReadOnlySpan<byte> rest = frame[14..];
        for (int tags = 0; type is 0x8100 or 0x88a8; tags++)
        {
            if (tags == MostTags)
            {
                return true;
            }

            if (!TryRead16(rest, 2, out type))
            {
                return false;
            }

            rest = rest[4..];
        }

        if (type == 0x8864)
        {
            if (rest.Length < 8)
            {
                return false;
            }

            bool isShort = rest[6] % 2 == 1;
            int protocol = isShort ? rest[6] : (rest[6] * 256) + rest[7];
            rest = rest[(isShort ? 7 : 8)..];
            type = protocol switch { 0x21 => 0x0800, 0x57 => 0x86dd, _ => 0 };
        }

        return type switch
        {
            0x0800 => IsDroppedV4(rest, isDropped),
            0x86dd => IsDroppedV6(rest, isDropped),
            _ => false,
        };
    }

    public static bool OfPacket(ReadOnlySpan<byte> packet, Func<IPAddress, bool> isDropped) =>
        !packet.IsEmpty && (packet[0] >> 4) switch
        {
            4 => IsDroppedV4(packet, isDropped),
            6 => IsDroppedV6(packet, isDropped),
            _ => false,
        };

    private static bool IsDroppedV4(ReadOnlySpan<byte> packet, Func<IPAddress, bool> isDropped)
    {
        bool isReadable = packet.Length >= 20 && packet[0] >> 4 == 4 && (packet[0] & 15) >= 5 && packet.Length >= (packet[0] & 15) * 4;
        return isReadable && isDropped(new IPAddress(packet.Slice(12, 4)));
    }

    private static bool IsDroppedV6(ReadOnlySpan<byte> packet, Func<IPAddress, bool> isDropped) =>
        packet.Length >= 40 && packet[0] >> 4 == 6 && isDropped(new IPAddress(packet.Slice(8, 16))) && !KeepsLink(packet);

    private static bool KeepsLink(ReadOnlySpan<byte> packet)
    {
        var source = new IPAddress(packet.Slice(8, 16));
        var destination = new IPAddress(packet.Slice(24, 16));
        int length = BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
        ReadOnlySpan<byte> payload = packet[40..];
        return packet[6] == 17 ? IsDhcp(source, destination, length, payload)
            : packet[7] == 255 ? IsDiscovery(source, destination, packet[6], length, payload)
            : packet[7] == 1 && packet[6] == 0 && IsListener(source, destination, length, payload);
    }

    private static bool IsDhcp(IPAddress source, IPAddress destination, int length, ReadOnlySpan<byte> udp)
    {
        if (!source.IsIPv6LinkLocal || udp.Length < 12 || !TryRead16(udp, 4, out int said) || said < 12 || said > length)
        {
            return false;
        }

        (int from, int to) = (BinaryPrimitives.ReadUInt16BigEndian(udp), BinaryPrimitives.ReadUInt16BigEndian(udp[2..]));
        return (from, to) switch
        {
            (547, 546) => !destination.IsIPv6Multicast,
            (546, 547) => !destination.IsIPv6Multicast || destination.Equals(IPAddress.Parse("ff02::1:2")),
            _ => false,
        };
    }

    private static bool IsDiscovery(IPAddress source, IPAddress destination, byte next, int length, ReadOnlySpan<byte> payload)
    {
        for (int options = 0; options < 2 && next is 0 or 60; options++)
        {
            if (payload.Length < 8 || payload.Length < (payload[1] + 1) * 8)
            {
                return false;
            }

            int size = (payload[1] + 1) * 8;
            next = payload[0];
            payload = payload[size..];
            length -= size;
        }

        if (next != 58 || payload.Length < 8 || payload[1] != 0)
        {
            return false;
        }

        byte type = payload[0];
        int shortest = type switch { 133 => 8, 134 => 16, 135 or 136 or 137 => 24, _ => int.MaxValue };
        if (length < shortest || payload.Length < shortest)
        {
            return false;
        }

        return type switch
        {
            134 or 137 => source.IsIPv6LinkLocal,
            _ when source.IsIPv6Multicast => false,
            133 when source.Equals(IPAddress.IPv6Any) => true,
            135 when source.Equals(IPAddress.IPv6Any) => IPNetwork.Parse("ff02::1:ff00:0/104").Contains(destination),
            _ => source.GetAddressBytes().AsSpan(0, 8).ContainsAnyExcept((byte)0), // what begins with 64 zeros is on no link
        };
    }

    private static bool IsListener(IPAddress source, IPAddress destination, int length, ReadOnlySpan<byte> payload)
    {
        bool isUnspecified = source.Equals(IPAddress.IPv6Any);
        if (payload.Length < 16 || payload[0] != 58 || payload[1] != 0 || payload[9] != 0 || !destination.IsIPv6Multicast || !(source.IsIPv6LinkLocal || isUnspecified))
        {
            return false;
        }

        ReadOnlySpan<byte> options = payload[2..8];
        ReadOnlySpan<byte> alert = [5, 2, 0, 0];
        ReadOnlySpan<byte> padding = options.StartsWith(alert) ? options[4..] : options.EndsWith(alert) ? options[..2] : [9, 9];
        int shortest = payload[8] switch { 143 => 8, 130 when isUnspecified => int.MaxValue, 130 or 131 or 132 => 24, _ => int.MaxValue };
        return padding is [0 or 1, 0] && length - 8 >= shortest && payload.Length - 8 >= shortest;
    }

    private static bool TryRead16(ReadOnlySpan<byte> bytes, int at, out int value)
    {
        value = bytes.Length >= at + 2 ? BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]) : 0;
        return bytes.Length >= at + 2;
    }
}
