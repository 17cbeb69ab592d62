using Couic.Peering;
using Couic.Store;

namespace Couic.Tests.Peering.Simulator;

/// <summary>Addresses that all fall into one leaf: the hash of the leaves inverted.</summary>
internal static class Colliding
{
    private const int Leaf = 0x1234;

    public static Cidr Cidr(int number)
    {
        ulong low = (ulong)number;
        ulong inner = Mix(low ^ Mix(((ulong)IpFamily.V6 << 8) | 128));
        ulong high = Unmix(((ulong)Leaf << 48) | (uint)number) ^ inner;
        var cidr = new Cidr(IpFamily.V6, high, low, 128);
        return DigestTree.LeafOf(cidr) == Leaf ? cidr : throw new InvalidOperationException("the hash is another one now");
    }

    private static ulong Mix(ulong value)
    {
        value += 0x9e3779b97f4a7c15;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
        return value ^ (value >> 31);
    }

    private static ulong Unmix(ulong value)
    {
        value = (value ^ (value >> 31) ^ (value >> 62)) * 0x319642b2d24d8ec3;
        value = (value ^ (value >> 27) ^ (value >> 54)) * 0x96de1b173f119089;
        return (value ^ (value >> 30) ^ (value >> 60)) - 0x9e3779b97f4a7c15;
    }
}
