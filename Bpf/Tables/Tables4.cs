using Couic.Native;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>The tables before an IPv4 trie. The trie gets each change first; tables.bpf.h reads them.</summary>
internal sealed class Tables4(MappedMemory lines, Policy policy, Region4 region)
{
    private const int CoarseShift = 32 - Layout.Bits4Coarse;
    private const int FineShift = 32 - Layout.Bits4Fine;

    private readonly BitTable _coarse = new(lines, region.CoarseFilter);
    private readonly BitTable _fine = new(lines, region.FineFilter);

    /// <summary>Rules longer than /22 by /22.</summary>
    private readonly BitCounts _fineCounts = new();
    private readonly Cover4 _cover = new();
    private readonly LengthSets _lengthSummary = new(lines, 0);
    private readonly LengthSets _lengths = new(lines, region.Lengths);
    private readonly Rules4 _rules = new(lines, region.Rules, region.Buckets);

    /// <summary>
    /// Maps what a new rule needs, so that nothing can fail in the middle of <see cref="Set"/>. A removal needs no mapping.
    /// </summary>
    public Errno EnsureMapped(Cidr cidr)
    {
        uint coarse = cidr.V4 >> CoarseShift;
        Errno errno = _rules.EnsureMapped(Rules4.Key(cidr.V4, cidr.Length));
        errno = errno == Errno.None ? _lengths.EnsureMapped(coarse, CoarseBlocks(cidr.Length)) : errno;
        errno = errno == Errno.None ? _coarse.EnsureMapped(coarse, CoarseBlocks(cidr.Length)) : errno;
        return errno == Errno.None ? _fine.EnsureMapped(cidr.V4 >> FineShift, 1u << Math.Max(0, Layout.Bits4Fine - cidr.Length)) : errno;
    }

    /// <summary>Prefetches what a change of a rule reads: one line of each table.</summary>
    public void Prefetch(Cidr cidr)
    {
        _rules.Prefetch(Rules4.Key(cidr.V4, cidr.Length));
        _lengths.Prefetch(cidr.V4 >> CoarseShift, 32 - cidr.Length);
        _fine.Prefetch(cidr.V4 >> FineShift);
        _fineCounts.Prefetch(cidr.V4 >> FineShift);
        _cover.Prefetch(cidr.V4 >> FineShift);
    }

    /// <summary>Whether a new rule would have its hits beside its prefix.</summary>
    public bool HasFreeSlot(Cidr cidr) => _rules.HasFreeSlot(Rules4.Key(cidr.V4, cidr.Length));

    public bool TryReadHit(Cidr cidr, out ulong hit) => _rules.TryReadHit(Rules4.Key(cidr.V4, cidr.Length), out hit);

    public void Set(Cidr cidr, uint rule, bool isNew)
    {
        _rules.Set(Rules4.Key(cidr.V4, cidr.Length), rule, isNew);
        if (isNew)
        {
            CountLength(cidr.V4, cidr.Length, up: true);
            CountFine(cidr.V4, cidr.Length, up: true);
            RenewCoarse(cidr.V4, cidr.Length);
        }
    }

    public void Remove(Cidr cidr)
    {
        _rules.Remove(Rules4.Key(cidr.V4, cidr.Length));
        CountLength(cidr.V4, cidr.Length, up: false);
        RenewCoarse(cidr.V4, cidr.Length);
        CountFine(cidr.V4, cidr.Length, up: false);
    }

    private static uint CoarseBlocks(int length) => 1u << Math.Max(0, Layout.Bits4Coarse - length);

    private void CountLength(uint address, int length, bool up)
    {
        uint first = address >> CoarseShift;
        if (length > Layout.Bits4Coarse)
        {
            _lengths.Count(first, 32 - length, up);
        }
        else
        {
            _lengths.Put(first, CoarseBlocks(length), 32 - length, up);
        }

        _lengthSummary.Count(Layout.LengthSummary4 + (uint)policy, 32 - length, up);
    }

    private void CountFine(uint address, int length, bool up)
    {
        if (length > Layout.Bits4Fine)
        {
            uint block = address >> FineShift;
            if (up ? _fineCounts.Increment(block) != 1 : _fineCounts.Decrement(block) != 0)
            {
                return;
            }

            _cover.SetLonger(block, up);
        }
        else if (length > Layout.Bits4Coarse)
        {
            _cover.SetPrefix(address, length, up);
        }

        RenewFine(address >> CoarseShift, CoarseBlocks(length));
    }

    /// <summary>A word for each /16: all of its bits where a prefix of up to /16 covers it, else those of the longer ones.</summary>
    private void RenewFine(uint first, uint count)
    {
        ReadOnlySpan<ulong> lengths = _lengths.Words(first, count);
        for (int i = 0; i < lengths.Length; i++)
        {
            uint coarse = first + (uint)i;
            ulong bits = lengths[i] >> (32 - Layout.Bits4Coarse) != 0 ? ulong.MaxValue : _cover.Bits(coarse);
            _fine.Write(coarse << (CoarseShift - FineShift), 1 << (CoarseShift - FineShift), bits);
        }
    }

    /// <summary>A bit for each /16: whether any prefix touches it.</summary>
    private void RenewCoarse(uint address, int length)
    {
        uint first = address >> CoarseShift;
        ReadOnlySpan<ulong> lengths = _lengths.Words(first, CoarseBlocks(length));
        for (int start = 0; start < lengths.Length; start += BitTable.BitsPerWord)
        {
            int count = Math.Min(lengths.Length - start, BitTable.BitsPerWord);
            ulong bits = 0;
            for (int i = 0; i < count; i++)
            {
                bits |= (lengths[start + i] != 0 ? 1ul : 0) << i;
            }

            _coarse.Write(first + (uint)start, count, bits);
        }
    }
}

/// <summary>
/// The reasons for the /22 bits of each /16, so that no change has to search for them: blocks with longer rules, and prefixes of /17 to
/// /22. 24 bytes per /16, 1.5 MiB per policy.
/// </summary>
internal sealed class Cover4
{
    private const int TreeDepth = Layout.Bits4Fine - Layout.Bits4Coarse;

    private readonly Block[] _blocks = new Block[1 << Layout.Bits4Coarse];

    /// <summary>Prefetches what a change of a block reads.</summary>
    public void Prefetch(uint fine) => Native.Prefetch.Line(ref _blocks[fine >> TreeDepth].Longer);

    /// <summary>Notes whether a /22 block holds longer rules.</summary>
    public void SetLonger(uint fine, bool there) =>
        Put(ref _blocks[fine >> TreeDepth].Longer, (int)(fine & ((1 << TreeDepth) - 1)), there);

    /// <summary>Notes whether a prefix of /17 to /22 is there.</summary>
    public void SetPrefix(uint address, int length, bool there)
    {
        int depth = length - Layout.Bits4Coarse;
        int index = (int)(address >> (32 - length)) & ((1 << depth) - 1);
        ref Block block = ref _blocks[address >> (32 - Layout.Bits4Coarse)];
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
    public ulong Bits(uint coarse)
    {
        ref readonly Block block = ref _blocks[coarse];
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
