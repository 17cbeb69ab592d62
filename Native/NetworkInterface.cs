namespace Couic.Native;

/// <summary>An interface of this network namespace.</summary>
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

    /// <summary>Further names of it (Linux 5.5).</summary>
    public IReadOnlyList<string> AlternativeNames
    {
        get => _alternativeNames ?? [];
        init => _alternativeNames = value.Count == 0 ? null : [.. value];
    }

    /// <summary>Ids of its XDP programs where it has several: native, generic, offloaded.</summary>
    internal IReadOnlyList<uint> Programs
    {
        get => _programs ?? [];
        init => _programs = value.Count < 2 ? null : [.. value];
    }

    /// <summary>Whether this XDP program is attached to it.</summary>
    public bool Carries(uint program) => program != 0 && (XdpProgram == program || _programs?.Contains(program) == true);

    /// <summary>Whether its frames begin with an Ethernet header.</summary>
    public bool IsEthernet => HardwareType is ARPHRD_ETHER or ARPHRD_LOOPBACK;

    /// <summary>Whether its packets begin with the IP header.</summary>
    public bool IsIp => HardwareType is ARPHRD_PPP or ARPHRD_RAWIP or ARPHRD_TUNNEL or ARPHRD_TUNNEL6 or ARPHRD_SIT or ARPHRD_IPGRE or ARPHRD_IP6GRE
        or ARPHRD_NONE;
}
