using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>What an IPv6 prefix longer than /28 is looked for by; couic.h says how it is made.</summary>
/// <param name="Kind">Already where it stands, above a rule.</param>
internal readonly record struct Key6(ulong High, ulong Low, uint Kind)
{
    /// <summary>Spread over buckets by its upper bits.</summary>
    public ulong Hash => High ^ unchecked(Low * 0xff51afd7ed558ccdul) ^ (Low >> 29);

    public static Key6 Of(Cidr cidr)
    {
        if (cidr.Length <= 64)
        {
            return new Key6(cidr.High, 1ul << (64 - cidr.Length), Layout.KindShort << Layout.KindShift);
        }

        return cidr.Length == 128
            ? new Key6(cidr.High, cidr.Low, Layout.KindHost << Layout.KindShift)
            : new Key6(cidr.High, cidr.Low | (1ul << (127 - cidr.Length)), Layout.KindLong << Layout.KindShift);
    }
}
