using System.Runtime.InteropServices;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>Where in couic_lines each table begins and how large it is, from the limits alone: both sides come to the same.</summary>
internal sealed class TableLayout
{
    private readonly Region4[] _v4 = new Region4[2];
    private readonly Region6[] _v6 = new Region6[2];

    public TableLayout(StoreLimits limits)
    {
        foreach (Policy policy in Policies.All)
        {
            uint entries = (uint)limits.Entries(policy);

            // A root of 2^20 nodes takes 4 MiB and saves a step, which pays where most rules are.
            uint topBits = policy == Policy.Drop ? 20u : 16u;

            // Nine hosts to two buckets of seven, and a line of the tree for two rules of drop or four of ignore: most rules
            // are hosts, and prefixes come in clusters. What does not fit is found in the trie.
            uint buckets = (entries * 2 / 9) + 1;
            uint inner = (entries / (policy == Policy.Drop ? 2u : 4u)) + 16;
            _v4[(int)policy] = new Region4
            {
                Wide = Take(Bits(Layout.Bits4Wide)),
                Narrow = Take(Bits(Layout.Bits4Narrow)),
                Hosts = TakeBuckets(buckets),
                Buckets = buckets,
                Top = Take(1u << (int)(topBits - 4)),
                TopBits = topBits,
                Inner = Take(inner),
                InnerLines = inner,
            };

            // Eight hosts to three buckets of four.
            uint buckets6 = (entries * 3 / 8) + 1;
            _v6[(int)policy] = new Region6
            {
                Wide = Take(Bits(Layout.Bits6Wide)),
                Narrow = Take(Bits(Layout.Bits6Narrow)),
                Brief = Take(Bits(Layout.Bits6Short)),
                Hosts = TakeBuckets(buckets6),
                Buckets = buckets6,
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

    private static uint Bits(int indexBits) => (1u << indexBits) / (Layout.LineSize * 8);

    /// <summary>A bucket starts at an even line, so that the two are neighbours for the processor too.</summary>
    private uint TakeBuckets(uint buckets)
    {
        Take(Lines % Layout.BucketLines);
        return Take(buckets * Layout.BucketLines);
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
    public uint Wide;
    public uint Narrow;
    public uint Hosts;
    public uint Buckets;
    public uint Top;
    public uint TopBits;
    public uint Inner;
    public uint InnerLines;
}

/// <summary>struct couic_tables6.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Region6
{
    public uint Wide;
    public uint Narrow;
    public uint Brief;
    public uint Hosts;
    public uint Buckets;
}
