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
        Take(1); // the summary
        foreach (Policy policy in Policies.All)
        {
            uint entries = (uint)limits.Entries(policy);

            // Two rules to a bucket of four: few find no place in the first one that they try.
            uint buckets = (entries / 2) + 1;
            _v4[(int)policy] = new Region4
            {
                Wide = Take(Bits(Layout.Bits4Wide)),
                Narrow = Take(Bits(Layout.Bits4Narrow)),
                Lengths = Take(Words(1u << Layout.Bits4Wide)),
                Rules = Take(buckets),
                Buckets = buckets,
            };
            _v6[(int)policy] = new Region6
            {
                Wide = Take(Bits(Layout.Bits6Wide)),
                Narrow = Take(Bits(Layout.Bits6Narrow)),
                Brief = Take(Bits(Layout.Bits6Short)),
                Lengths = Take(Words(2u << Layout.Bits6Wide)),
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

    private static uint Bits(int indexBits) => (1u << indexBits) / (Layout.LineSize * 8);

    private static uint Words(uint words) => words / (Layout.LineSize / sizeof(ulong));

    /// <summary>A bucket starts at an even line, so that the two are neighbours for the processor too.</summary>
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
    public uint Wide;
    public uint Narrow;
    public uint Lengths;
    public uint Rules;
    public uint Buckets;
}

/// <summary>struct couic_tables6.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Region6
{
    public uint Wide;
    public uint Narrow;
    public uint Brief;
    public uint Lengths;
    public uint Rules;
    public uint Buckets;
}
