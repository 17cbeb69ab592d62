using System.Buffers.Binary;
using Couic.Native;
using Xunit;

namespace Couic.Tests.Native;

public class NetlinkTests
{
    private static readonly byte[] Eth0 = Link(1, 2, 1,
        Attribute(Netlink.IFLA_IFNAME, "eth0\0"u8.ToArray()),
        Attribute(Netlink.IFLA_MTU, [0xdc, 5, 0, 0]),
        Attribute(Netlink.IFLA_MTU, [1, 2, 3]), // too short: not read
        Attribute(5, [1, 2, 3]),
        Attribute(Netlink.IFLA_XDP | Netlink.NLA_F_NESTED, [.. Attribute(Netlink.IFLA_XDP_ATTACHED, [2]), .. Attribute(Netlink.IFLA_XDP_PROG_ID, [7, 1, 0, 0])]));

    [Fact]
    public void Link_IsReadWithItsXdpProgram()
    {
        Assert.True(Netlink.TryReadLink(Eth0, out NetworkInterface link));
        Assert.Equal(new NetworkInterface("eth0", 2, 1, true, 2, 263, 1500), link);
        Assert.True(link.IsEthernet);
    }

    [Fact]
    public void Link_IsReadWithAlternativeNamesAndSeveralPrograms()
    {
        byte[] link = Link(1, 2, 1,
            Attribute(Netlink.IFLA_IFNAME, "eth0\0"u8.ToArray()),
            Attribute(Netlink.IFLA_PROP_LIST | Netlink.NLA_F_NESTED,
                [.. Attribute(Netlink.IFLA_ALT_IFNAME, "uplink\0"u8.ToArray()), .. Attribute(Netlink.IFLA_ALT_IFNAME, "a-name-of-more-than-15-bytes\0"u8.ToArray())]),
            Attribute(Netlink.IFLA_XDP | Netlink.NLA_F_NESTED,
                [.. Attribute(Netlink.IFLA_XDP_ATTACHED, [4]), .. Attribute(Netlink.IFLA_XDP_DRV_PROG_ID, Int(5)), .. Attribute(Netlink.IFLA_XDP_HW_PROG_ID, Int(9))]));
        Assert.True(Netlink.TryReadLink(link, out NetworkInterface read));
        Assert.Equal(["uplink", "a-name-of-more-than-15-bytes"], read.AlternativeNames);
        Assert.Equal([true, true, false, false], new uint[] { 5, 9, 7, 0 }.Select(read.Carries));
        for (int length = 0; length < link.Length; length++)
        {
            Netlink.TryReadLink(link.AsSpan(0, length), out _);
        }
    }

    [Fact]
    public void Link_WithoutNameOrIndex_IsRefused()
    {
        Assert.False(Netlink.TryReadLink(Link(1, 2, 1), out _));
        Assert.False(Netlink.TryReadLink(Link(1, 0, 1, Attribute(Netlink.IFLA_IFNAME, "x\0"u8.ToArray())), out _));
    }

    [Fact]
    public void TruncatedLink_IsReadOrRefused()
    {
        for (int length = 0; length < Eth0.Length; length++)
        {
            bool read = Netlink.TryReadLink(Eth0.AsSpan(0, length), out NetworkInterface link);
            Assert.Equal(length >= Netlink.LinkHeaderSize + 9, read);
            Assert.True(!read || link.Name == "eth0");
        }
    }

    [Fact]
    public void TruncatedDatagram_EndsAtAMessageBoundary()
    {
        byte[] one = Message(Netlink.RTM_NEWLINK, 5, Eth0);
        byte[] datagram = [.. one, .. Message(Netlink.NLMSG_DONE, 5, [0, 0, 0, 0])];
        for (int length = 0; length <= datagram.Length; length++)
        {
            ReadOnlySpan<byte> rest = datagram.AsSpan(0, length);
            int count = 0;
            while (Netlink.TryReadMessage(ref rest, out NetlinkMessage message))
            {
                Assert.Equal(5u, message.Sequence);
                count++;
            }

            Assert.Equal(length == datagram.Length ? 2 : length >= one.Length - 3 && length >= (int)BinaryPrimitives.ReadUInt32LittleEndian(one) ? 1 : 0, count);
        }
    }

    [Fact]
    public void Error_IsReadWithItsText()
    {
        byte[] request = Message(Netlink.RTM_SETLINK, 9, new byte[20]);
        byte[] text = Attribute(Netlink.NLMSGERR_ATTR_MSG, "already there\0"u8.ToArray());
        AssertError(0, [.. Int(-16), .. request, .. text], Errno.EBUSY, "already there");
        AssertError(Netlink.NLM_F_CAPPED, [.. Int(-22), .. request[..16], .. text], Errno.EINVAL, "already there");
        AssertError(0, [.. Int(0), .. request], Errno.None, "");
        AssertError(0, [0, 0], Errno.EINVAL, "");
    }

    [Fact]
    public void RandomBytes_AreReadOrRefused()
    {
        var random = new Random(4);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] bytes = [.. Eth0];
            for (int i = random.Next(6); i >= 0; i--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            Netlink.TryReadLink(bytes, out _);
            ReadOnlySpan<byte> rest = bytes;
            while (Netlink.TryReadMessage(ref rest, out NetlinkMessage message))
            {
                Netlink.ReadError(message, out _);
            }
        }
    }

    private static void AssertError(ushort flags, byte[] payload, Errno errno, string text)
    {
        Assert.Equal(errno, Netlink.ReadError(new NetlinkMessage(Netlink.NLMSG_ERROR, flags, 1, payload), out string got));
        Assert.Equal(text, got);
    }

    private static byte[] Link(ushort hardware, int index, uint flags, params byte[][] attributes)
    {
        byte[] head = new byte[Netlink.LinkHeaderSize];
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(2), hardware);
        BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(4), index);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(8), flags);
        return [.. head, .. attributes.SelectMany(a => a)];
    }

    private static byte[] Attribute(int type, byte[] value) =>
        [.. BitConverter.GetBytes((ushort)(value.Length + 4)), .. BitConverter.GetBytes((ushort)type), .. value, .. new byte[-value.Length & 3]];

    private static byte[] Message(ushort type, uint sequence, byte[] payload) =>
        [.. Int(payload.Length + 16), .. BitConverter.GetBytes(type), 0, 0, .. BitConverter.GetBytes(sequence), 0, 0, 0, 0, .. payload, .. new byte[-payload.Length & 3]];

    private static byte[] Int(int value) => BitConverter.GetBytes(value);
}
