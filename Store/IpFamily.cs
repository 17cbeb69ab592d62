namespace Couic.Store;

/// <summary>Address family of a CIDR. An IPv4-mapped IPv6 address is <see cref="V6"/>.</summary>
public enum IpFamily : byte
{
    V4 = 0,
    V6 = 1,
}
