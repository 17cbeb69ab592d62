using System.Buffers.Binary;

namespace Couic.Native;

/// <summary>Layouts of rtnetlink messages (linux/netlink.h, linux/rtnetlink.h, linux/if_link.h). Their lengths are not trusted.</summary>
internal static class Netlink
{
    public const int HeaderSize = 16;
    public const int LinkHeaderSize = 16;
    public const int ErrorSize = 4;

    public const ushort NLMSG_ERROR = 2;
    public const ushort NLMSG_DONE = 3;
    public const ushort RTM_NEWLINK = 16;
    public const ushort RTM_DELLINK = 17;
    public const ushort RTM_GETLINK = 18;
    public const ushort RTM_SETLINK = 19;

    public const ushort NLM_F_REQUEST = 1;
    public const ushort NLM_F_ACK = 4;
    public const ushort NLM_F_DUMP = 0x300;
    public const ushort NLM_F_CAPPED = 0x100;
    public const ushort NLM_F_EXCL = 0x200;
    public const ushort NLM_F_CREATE = 0x400;

    public const ushort IFLA_IFNAME = 3;
    public const ushort IFLA_MTU = 4;
    public const ushort IFLA_LINKINFO = 18;
    public const ushort IFLA_NET_NS_FD = 28;
    public const ushort IFLA_EXT_MASK = 29;
    public const ushort IFLA_NUM_TX_QUEUES = 31;
    public const ushort IFLA_NUM_RX_QUEUES = 32;
    public const ushort IFLA_INFO_KIND = 1;
    public const ushort IFLA_INFO_DATA = 2;
    public const ushort VETH_INFO_PEER = 1;
    public const ushort IFLA_PROP_LIST = 52;
    public const ushort IFLA_ALT_IFNAME = 53;
    public const ushort IFLA_XDP = 43;
    public const ushort IFLA_XDP_FD = 1;
    public const ushort IFLA_XDP_ATTACHED = 2;
    public const ushort IFLA_XDP_FLAGS = 3;
    public const ushort IFLA_XDP_PROG_ID = 4;
    public const ushort IFLA_XDP_DRV_PROG_ID = 5;
    public const ushort IFLA_XDP_HW_PROG_ID = 7;
    public const ushort NLMSGERR_ATTR_MSG = 1;
    public const ushort NLA_F_NESTED = 1 << 15;
    public const ushort NLA_TYPE_MASK = 0x3fff;

    private const int AttributeHeaderSize = 4;

    /// <summary>Reads the next message of a datagram; false at its end or when the length is invalid.</summary>
    public static bool TryReadMessage(ref ReadOnlySpan<byte> datagram, out NetlinkMessage message)
    {
        message = default;
        if (datagram.Length < HeaderSize)
        {
            return false;
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(datagram);
        if (length < HeaderSize || length > (uint)datagram.Length)
        {
            return false;
        }

        message = new NetlinkMessage(
            BinaryPrimitives.ReadUInt16LittleEndian(datagram[4..]),
            BinaryPrimitives.ReadUInt16LittleEndian(datagram[6..]),
            BinaryPrimitives.ReadUInt32LittleEndian(datagram[8..]),
            datagram[HeaderSize..(int)length]);
        datagram = datagram[Math.Min(Align((int)length), datagram.Length)..];
        return true;
    }

    /// <summary>Reads the next attribute of a list; false at its end or when the length is invalid.</summary>
    public static bool TryReadAttribute(ref ReadOnlySpan<byte> list, out ushort type, out ReadOnlySpan<byte> value)
    {
        type = 0;
        value = default;
        if (list.Length < AttributeHeaderSize)
        {
            return false;
        }

        ushort length = BinaryPrimitives.ReadUInt16LittleEndian(list);
        if (length < AttributeHeaderSize || length > list.Length)
        {
            return false;
        }

        type = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(list[2..]) & NLA_TYPE_MASK);
        value = list[AttributeHeaderSize..length];
        list = list[Math.Min(Align(length), list.Length)..];
        return true;
    }

    /// <summary>Reads the interface of an RTM_NEWLINK; false when name or index is missing.</summary>
    public static bool TryReadLink(ReadOnlySpan<byte> payload, out NetworkInterface link)
    {
        const uint IFF_UP = 1;
        link = default;
        if (payload.Length < LinkHeaderSize)
        {
            return false;
        }

        string name = "";
        uint program = 0;
        uint mtu = 0;
        byte attached = 0;
        List<string>? alternatives = null;
        List<uint>? programs = null;
        ReadOnlySpan<byte> list = payload[LinkHeaderSize..];
        while (TryReadAttribute(ref list, out ushort type, out ReadOnlySpan<byte> value))
        {
            if (type == IFLA_IFNAME)
            {
                name = System.Text.Encoding.UTF8.GetString(value.TrimEnd((byte)0));
            }
            else if (type == IFLA_MTU && value.Length == sizeof(uint))
            {
                mtu = BinaryPrimitives.ReadUInt32LittleEndian(value);
            }
            else if (type == IFLA_XDP)
            {
                ReadXdp(value, ref attached, ref program, ref programs);
            }
            else if (type == IFLA_PROP_LIST)
            {
                ReadAlternativeNames(value, ref alternatives);
            }
        }

        link = new NetworkInterface(
            name,
            BinaryPrimitives.ReadInt32LittleEndian(payload[4..]),
            BinaryPrimitives.ReadUInt16LittleEndian(payload[2..]),
            (BinaryPrimitives.ReadUInt32LittleEndian(payload[8..]) & IFF_UP) != 0,
            attached,
            program,
            mtu)
        {
            AlternativeNames = alternatives ?? [],
            Programs = programs ?? [],
        };
        return name.Length > 0 && link.Index > 0;
    }

    /// <summary>Reads an NLMSG_ERROR: the error and, with extended acknowledgements, its text.</summary>
    public static Errno ReadError(in NetlinkMessage message, out string text)
    {
        text = "";
        if (message.Payload.Length < ErrorSize + HeaderSize)
        {
            return Errno.EINVAL;
        }

        // The request's header follows, with its body unless NLM_F_CAPPED, and then the attributes.
        uint request = BinaryPrimitives.ReadUInt32LittleEndian(message.Payload[ErrorSize..]);
        int skip = (message.Flags & NLM_F_CAPPED) != 0 ? HeaderSize : Align((int)Math.Min(request, 1 << 16));
        ReadOnlySpan<byte> list = message.Payload[Math.Min(ErrorSize + skip, message.Payload.Length)..];
        while (TryReadAttribute(ref list, out ushort type, out ReadOnlySpan<byte> value))
        {
            if (type == NLMSGERR_ATTR_MSG)
            {
                text = System.Text.Encoding.UTF8.GetString(value.TrimEnd((byte)0));
            }
        }

        return (Errno)(-BinaryPrimitives.ReadInt32LittleEndian(message.Payload));
    }

    private static void ReadXdp(ReadOnlySpan<byte> list, ref byte attached, ref uint program, ref List<uint>? programs)
    {
        while (TryReadAttribute(ref list, out ushort type, out ReadOnlySpan<byte> value))
        {
            if (type == IFLA_XDP_ATTACHED && value.Length == 1)
            {
                attached = value[0];
            }
            else if (type == IFLA_XDP_PROG_ID && value.Length == 4)
            {
                program = BinaryPrimitives.ReadUInt32LittleEndian(value);
            }
            else if (type is >= IFLA_XDP_DRV_PROG_ID and <= IFLA_XDP_HW_PROG_ID && value.Length == 4)
            {
                (programs ??= []).Add(BinaryPrimitives.ReadUInt32LittleEndian(value));
            }
        }
    }

    private static void ReadAlternativeNames(ReadOnlySpan<byte> list, ref List<string>? names)
    {
        while (TryReadAttribute(ref list, out ushort type, out ReadOnlySpan<byte> value))
        {
            if (type == IFLA_ALT_IFNAME && value.TrimEnd((byte)0) is { IsEmpty: false } name)
            {
                (names ??= []).Add(System.Text.Encoding.UTF8.GetString(name));
            }
        }
    }

    private static int Align(int length) => (length + 3) & ~3;
}

internal readonly ref struct NetlinkMessage(ushort type, ushort flags, uint sequence, ReadOnlySpan<byte> payload)
{
    public ushort Type { get; } = type;

    public ushort Flags { get; } = flags;

    public uint Sequence { get; } = sequence;

    public ReadOnlySpan<byte> Payload { get; } = payload;
}

/// <param name="HardwareType">ARPHRD_* of linux/if_arp.h: 1 Ethernet, 772 loopback, 65534 none (tun, WireGuard).</param>
/// <param name="XdpAttached">XDP_ATTACHED_* of linux/if_link.h: 0 none, 1 native, 2 generic, 3 offloaded, 4 several.</param>
/// <param name="XdpProgram">Id of the XDP program; 0 for none, or for several.</param>
/// <param name="Mtu">Bytes of the largest packet.</param>
public readonly record struct NetworkInterface(string Name, int Index, ushort HardwareType, bool IsUp, byte XdpAttached, uint XdpProgram, uint Mtu)
{
    /// <summary>Bytes of a name (IFNAMSIZ of linux/if.h without the NUL).</summary>
    public const int MaxNameBytes = 15;

    /// <summary>Bytes of an alternative name (ALTIFNAMSIZ without the NUL).</summary>
    public const int MaxAlternativeNameBytes = 127;

    private const ushort ARPHRD_ETHER = 1;
    private const ushort ARPHRD_PPP = 512;
    private const ushort ARPHRD_RAWIP = 519;
    private const ushort ARPHRD_TUNNEL = 768;
    private const ushort ARPHRD_TUNNEL6 = 769;
    private const ushort ARPHRD_LOOPBACK = 772;
    private const ushort ARPHRD_SIT = 776;
    private const ushort ARPHRD_IPGRE = 778;
    private const ushort ARPHRD_IP6GRE = 823;
    private const ushort ARPHRD_NONE = 0xfffe;

    private readonly string[]? _alternativeNames;
    private readonly uint[]? _programs;

    /// <summary>Alternative names (Linux 5.5).</summary>
    public IReadOnlyList<string> AlternativeNames
    {
        get => _alternativeNames ?? [];
        init => _alternativeNames = value.Count == 0 ? null : [.. value];
    }

    /// <summary>Ids of the XDP programs of an interface with several: native, generic, offloaded.</summary>
    internal IReadOnlyList<uint> Programs
    {
        get => _programs ?? [];
        init => _programs = value.Count < 2 ? null : [.. value];
    }

    /// <summary>Whether this XDP program is attached to the interface.</summary>
    public bool Carries(uint program) => program != 0 && (XdpProgram == program || _programs?.Contains(program) == true);

    /// <summary>Whether its frames begin with an Ethernet header.</summary>
    public bool IsEthernet => HardwareType is ARPHRD_ETHER or ARPHRD_LOOPBACK;

    /// <summary>Whether its packets begin with the IP header.</summary>
    public bool IsIp => HardwareType is ARPHRD_PPP or ARPHRD_RAWIP or ARPHRD_TUNNEL or ARPHRD_TUNNEL6 or ARPHRD_SIT or ARPHRD_IPGRE or ARPHRD_IP6GRE
        or ARPHRD_NONE;
}
