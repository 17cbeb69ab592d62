namespace Couic.Bpf.Tables;

/// <summary>
/// What the /22 bits of each /16 stand for, so that no change has to search for it: the blocks with longer rules, and the prefixes of
/// /17 to /22. 24 bytes for each /16, 1.5 MiB a policy.
/// </summary>
internal sealed class Cover4
{
    private const int TreeDepth = Layout.Bits4Narrow - Layout.Bits4Wide;

    private readonly Block[] _blocks = new Block[1 << Layout.Bits4Wide];

    /// <summary>Brings near what a change of a block will look at.</summary>
    public void Prefetch(uint narrow) => Native.Prefetch.Line(ref _blocks[narrow >> TreeDepth].Longer);

    /// <summary>Notes whether a /22 block holds longer rules.</summary>
    public void SetLonger(uint narrow, bool there) =>
        Put(ref _blocks[narrow >> TreeDepth].Longer, (int)(narrow & ((1 << TreeDepth) - 1)), there);

    /// <summary>Notes whether a prefix of /17 to /22 is there.</summary>
    public void SetPrefix(uint address, int length, bool there)
    {
        int depth = length - Layout.Bits4Wide;
        int index = (int)(address >> (32 - length)) & ((1 << depth) - 1);
        ref Block block = ref _blocks[address >> (32 - Layout.Bits4Wide)];
        if (depth == TreeDepth)
        {
            Put(ref block.Leaves, index, there);
        }
        else
        {
            Put(ref block.Inner, (1 << depth) + index, there);
        }
    }

    /// <summary>The bits of the /22 blocks of a /16, as far as prefixes longer than /16 set them.</summary>
    public ulong Bits(uint wide)
    {
        ref readonly Block block = ref _blocks[wide];
        ulong covered = 0;
        if (block.Inner != 0)
        {
            for (int depth = 1; depth < TreeDepth; depth++)
            {
                int count = 1 << depth;
                covered = Double(covered) | ((block.Inner >> count) & ((1ul << count) - 1));
            }
        }

        return Double(covered) | block.Leaves | block.Longer;
    }

    private static void Put(ref ulong word, int bit, bool there) => word = there ? word | (1ul << bit) : word & ~(1ul << bit);

    /// <summary>Two of each of the lower 32 bits.</summary>
    private static ulong Double(ulong bits)
    {
        bits = (bits | (bits << 16)) & 0x0000_ffff_0000_ffff;
        bits = (bits | (bits << 8)) & 0x00ff_00ff_00ff_00ff;
        bits = (bits | (bits << 4)) & 0x0f0f_0f0f_0f0f_0f0f;
        bits = (bits | (bits << 2)) & 0x3333_3333_3333_3333;
        bits = (bits | (bits << 1)) & 0x5555_5555_5555_5555;
        return bits | (bits << 1);
    }

    private struct Block
    {
        /// <summary>By /22: whether it holds longer rules.</summary>
        public ulong Longer;

        /// <summary>By /22: whether it is a rule.</summary>
        public ulong Leaves;

        /// <summary>/17 to /21 as a binary tree: those of depth d from bit 2^d on.</summary>
        public ulong Inner;
    }
}
