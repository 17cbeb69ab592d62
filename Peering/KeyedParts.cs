using System.Numerics;
using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// Divides the records of a crowded leaf into 1,024 parts by a hash whose key is drawn anew for each comparison. Nobody can
/// choose CIDRs that fall into one part, so what two nodes differ in is found and sent in pieces of bounded size however
/// the CIDRs were chosen. The hash is SipHash-1-3 (Aumasson, Bernstein 2012).
/// </summary>
internal readonly struct KeyedParts(ulong key)
{
    public const int Count = 1_024;

    private readonly ulong _k0 = key;
    private readonly ulong _k1 = BitOperations.RotateLeft(key, 32) ^ 0x9e3779b97f4a7c15;

    public int PartOf(Cidr cidr) => (int)(HashOf(cidr) >> 54);

    public ulong SumOf(Cidr cidr, Stamp stamp) => Sip(HashOf(cidr), stamp.Time, stamp.Node);

    private ulong HashOf(Cidr cidr) => Sip(cidr.High, cidr.Low, ((ulong)cidr.Family << 8) | cidr.Length);

    private ulong Sip(ulong a, ulong b, ulong c)
    {
        ulong v0 = _k0 ^ 0x736f6d6570736575, v1 = _k1 ^ 0x646f72616e646f6d, v2 = _k0 ^ 0x6c7967656e657261, v3 = _k1 ^ 0x7465646279746573;
        Take(a, ref v0, ref v1, ref v2, ref v3);
        Take(b, ref v0, ref v1, ref v2, ref v3);
        Take(c, ref v0, ref v1, ref v2, ref v3);
        Take(24UL << 56, ref v0, ref v1, ref v2, ref v3);
        v2 ^= 0xff;
        for (int round = 0; round < 3; round++)
        {
            Round(ref v0, ref v1, ref v2, ref v3);
        }

        return v0 ^ v1 ^ v2 ^ v3;
    }

    private static void Take(ulong word, ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v3 ^= word;
        Round(ref v0, ref v1, ref v2, ref v3);
        v0 ^= word;
    }

    private static void Round(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v0 += v1;
        v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
        v0 = BitOperations.RotateLeft(v0, 32);
        v2 += v3;
        v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
        v0 += v3;
        v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
        v2 += v1;
        v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
        v2 = BitOperations.RotateLeft(v2, 32);
    }
}
