namespace Couic.Native;

/// <summary>An interface of this network namespace.</summary>
/// <param name="HardwareType">ARPHRD_* of linux/if_arp.h: 1 Ethernet, 772 loopback.</param>
/// <param name="XdpAttached">XDP_ATTACHED_* of linux/if_link.h: 0 none, 1 native, 2 generic, 3 offloaded, 4 several.</param>
/// <param name="XdpProgram">Id of the XDP program; 0 for none, or for several.</param>
public readonly record struct NetworkInterface(string Name, int Index, ushort HardwareType, bool IsUp, byte XdpAttached, uint XdpProgram)
{
    private const ushort ARPHRD_ETHER = 1;
    private const ushort ARPHRD_LOOPBACK = 772;

    /// <summary>Whether its frames begin with an Ethernet header.</summary>
    public bool IsEthernet => HardwareType is ARPHRD_ETHER or ARPHRD_LOOPBACK;
}
