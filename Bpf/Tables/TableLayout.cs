using System.Runtime.InteropServices;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>First line and size of each table in couic_lines, computed from the limits.</summary>
internal sealed class TableLayout
{
    private readonly Region4[] _v4 = new Region4[2];
    private readonly Region6[] _v6 = new Region6[2];

    public TableLayout(StoreLimits limits)
    {
        Take(1); // the summary
        foreach (Policy policy in Policies.All)
        {
            uint entries = (uint)limits.Entries(policy);

            // Two rules per bucket of four slots: few find their first bucket full.
            uint buckets = (entries / 2) + 1;
            _v4[(int)policy] = new Region4
            {
                CoarseFilter = Take(Bits(Layout.Bits4Coarse)),
                FineFilter = Take(Bits(Layout.Bits4Fine)),
                Lengths = Take(Words(1u << Layout.Bits4Coarse)),
                Rules = Take(buckets),
                Buckets = buckets,
            };
            _v6[(int)policy] = new Region6
            {
                CoarseFilter = Take(Bits(Layout.Bits6Coarse)),
                FineFilter = Take(Bits(Layout.Bits6Fine)),
                ShortPrefixFilter = Take(Bits(Layout.Bits6ShortPrefix)),
                Lengths = Take(Words(2u << Layout.Bits6Coarse)),
                Rules = TakePairs(buckets),
                Buckets = buckets,
            };
        }
    }

    /// <summary>Elements of couic_lines.</summary>
    public uint Lines { get; private set; }

    /// <summary>Content of <c>tables4</c>.</summary>
    public ReadOnlySpan<byte> Constants4 => MemoryMarshal.AsBytes(_v4.AsSpan());

    /// <summary>Content of <c>tables6</c>.</summary>
    public ReadOnlySpan<byte> Constants6 => MemoryMarshal.AsBytes(_v6.AsSpan());

    public Region4 V4(Policy policy) => _v4[(int)policy];

    public Region6 V6(Policy policy) => _v6[(int)policy];

    private static uint Bits(int indexBits) => (1u << indexBits) / (Layout.CacheLineSize * 8);

    private static uint Words(uint words) => words / (Layout.CacheLineSize / sizeof(ulong));

    /// <summary>A bucket starts at an even line, so that the processor prefetches its lines as a pair.</summary>
    private uint TakePairs(uint buckets)
    {
        Take(Lines % Layout.Bucket6Lines);
        return Take(buckets * Layout.Bucket6Lines);
    }

    private uint Take(uint lines)
    {
        uint first = Lines;
        Lines += lines;
        return first;
    }
}

/// <summary>struct couic_tables4: first lines and sizes.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Region4
{
    public uint CoarseFilter;
    public uint FineFilter;
    public uint Lengths;
    public uint Rules;
    public uint Buckets;
}

/// <summary>struct couic_tables6.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Region6
{
    public uint CoarseFilter;
    public uint FineFilter;
    public uint ShortPrefixFilter;
    public uint Lengths;
    public uint Rules;
    public uint Buckets;
}

/// <summary>The hashes of tables.bpf.h.</summary>
internal static class TableHash
{
    /// <summary>The bucket of a key's n-th choice.</summary>
    public static uint Bucket(ulong key, int choice, uint buckets)
    {
        key *= choice switch { 0 => 0x9e3779b97f4a7c15, 1 => 0xc2b2ae3d27d4eb4f, _ => 0xff51afd7ed558ccd };
        return (uint)(((key >> 32) * buckets) >> 32);
    }

    /// <summary>Spreads a part of an IPv6 address.</summary>
    public static uint Fold(ulong bits) => (uint)(unchecked(bits * 0x9e3779b97f4a7c15ul) >> 32);
}
