using Couic.Native;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>The tables in front of an IPv6 trie. The trie has each change first; see tables.bpf.h for how they are read.</summary>
internal sealed class Tables6(MappedMemory lines, Policy policy, Region6 region)
{
    /// <summary>Up to here a prefix counts by the /20 blocks it touches; a longer one by at most eight /32.</summary>
    private const int BriefLength = 28;
    private const int WideLength = 32;
    private const int NarrowLength = 48;
    private const uint BitInLine = (Layout.LineSize * 8) - 1;

    private readonly BitTable _wide = new(lines, region.Wide);
    private readonly BitTable _narrow = new(lines, region.Narrow);
    private readonly BitTable _brief = new(lines, region.Brief);
    private readonly ushort[] _briefCounts = new ushort[1 << Layout.Bits6Short];
    private readonly BitCounts _narrowCounts = new();
    private readonly LengthSets _summary = new(lines, 0);
    private readonly LengthSets _lengths = new(lines, region.Lengths);
    private readonly Rules6 _rules = new(lines, region.Rules, region.Buckets);

    /// <summary>As <see cref="Tables4.EnsureMapped"/>.</summary>
    public Errno EnsureMapped(Cidr cidr)
    {
        if (cidr.Length <= BriefLength)
        {
            return _brief.EnsureMapped(BriefIndex(cidr), BriefBlocks(cidr.Length));
        }

        Errno errno = _rules.EnsureMapped(Key6.Of(cidr));
        for (ulong i = 0; i < WideBlocks(cidr.Length) && errno == Errno.None; i++)
        {
            (uint wide, uint narrow) = Hashes(cidr, i);
            uint block = wide >> (32 - Layout.Bits6Wide);
            errno = _lengths.EnsureMapped(2 * block, 2);
            errno = errno == Errno.None ? _wide.EnsureMapped(block, 1) : errno;
            errno = errno == Errno.None ? _narrow.EnsureMapped(narrow >> (32 - Layout.Bits6Narrow), 1) : errno; // the other bit is in the same line
        }

        return errno;
    }

    /// <summary>As <see cref="Tables4.Prefetch"/>.</summary>
    public void Prefetch(Cidr cidr)
    {
        if (cidr.Length > BriefLength)
        {
            (uint wide, uint narrow) = Hashes(cidr, 0);
            (uint word, int bit) = Place(wide >> (32 - Layout.Bits6Wide), cidr.Length);
            _rules.Prefetch(Key6.Of(cidr));
            _lengths.Prefetch(word, bit);
            _narrow.Prefetch(narrow >> (32 - Layout.Bits6Narrow));
            _narrowCounts.Prefetch(narrow >> (32 - Layout.Bits6Narrow));
        }
    }

    /// <summary>Whether a new rule would be counted beside its prefix; the shortest, which only the trie holds, never are.</summary>
    public bool HasFreeSlot(Cidr cidr) => cidr.Length > BriefLength && _rules.HasFreeSlot(Key6.Of(cidr));

    public bool TryReadHit(Cidr cidr, out ulong hit)
    {
        hit = 0;
        return cidr.Length > BriefLength && _rules.TryReadHit(Key6.Of(cidr), out hit);
    }

    public void Set(Cidr cidr, uint rule, bool isNew)
    {
        if (cidr.Length > BriefLength)
        {
            _rules.Set(Key6.Of(cidr), rule, isNew);
        }

        if (isNew)
        {
            Count(cidr, up: true);
        }
    }

    public void Remove(Cidr cidr)
    {
        if (cidr.Length > BriefLength)
        {
            _rules.Remove(Key6.Of(cidr));
        }

        Count(cidr, up: false);
    }

    private void Count(Cidr cidr, bool up)
    {
        CountLength(_summary, (Layout.Summary6 / 2) + (uint)policy, Math.Max((byte)1, cidr.Length), up);
        if (cidr.Length <= BriefLength)
        {
            CountBrief(cidr, up);
            return;
        }

        for (ulong i = 0; i < WideBlocks(cidr.Length); i++)
        {
            (uint wide, uint narrow) = Hashes(cidr, i);
            CountLength(_lengths, wide >> (32 - Layout.Bits6Wide), cidr.Length, up);
            CountNarrow(narrow, up);
            CountWide(wide >> (32 - Layout.Bits6Wide), up);
        }
    }

    private static ulong WideBlocks(int length) => 1ul << Math.Max(0, WideLength - length);

    private static uint BriefIndex(Cidr cidr) => (uint)(cidr.High >> (64 - Layout.Bits6Short));

    private static uint BriefBlocks(int length) => 1u << Math.Max(0, Layout.Bits6Short - length);

    private static (uint Wide, uint Narrow) Hashes(Cidr cidr, ulong block)
    {
        uint wide = TableHash.Fold((cidr.High >> (64 - WideLength)) + block);
        return (wide, cidr.Length >= NarrowLength ? TableHash.Fold(cidr.High >> (64 - NarrowLength)) : ~wide);
    }

    /// <summary>Two bits of one line for a block.</summary>
    private void CountNarrow(uint hash, bool up)
    {
        uint first = hash >> (32 - Layout.Bits6Narrow);
        CountNarrowBit(first, up);
        CountNarrowBit((first & ~BitInLine) | (unchecked(hash * 0x85ebca6bu) >> 23), up);
    }

    private void CountNarrowBit(uint index, bool up)
    {
        if (up && _narrowCounts.Increment(index) == 1)
        {
            _narrow.Set(index);
        }
        else if (!up && _narrowCounts.Decrement(index) == 0)
        {
            _narrow.Clear(index);
        }
    }

    private static void CountLength(LengthSets sets, uint block, int length, bool up)
    {
        (uint word, int bit) = Place(block, length);
        sets.Count(word, bit, up);
    }

    /// <summary>Where a block has the bit of a length: two words, the longer ones first.</summary>
    private static (uint Word, int Bit) Place(uint block, int length) =>
        length > 64 ? (2 * block, 128 - length) : ((2 * block) + 1, 64 - length);

    private void CountWide(uint index, bool up)
    {
        if (up)
        {
            _wide.Set(index);
        }
        else if ((_lengths[2 * index] | _lengths[(2 * index) + 1]) == 0)
        {
            _wide.Clear(index);
        }
    }

    /// <summary>At most 532 prefixes of up to /28 touch one /20, so 16 bits hold their number.</summary>
    private void CountBrief(Cidr cidr, bool up)
    {
        uint first = BriefIndex(cidr);
        Span<ushort> counts = _briefCounts.AsSpan((int)first, (int)BriefBlocks(cidr.Length));
        for (int start = 0; start < counts.Length; start += BitTable.BitsPerWord)
        {
            Span<ushort> some = counts.Slice(start, Math.Min(counts.Length - start, BitTable.BitsPerWord));
            ulong bits = 0;
            for (int i = 0; i < some.Length; i++)
            {
                some[i] += (ushort)(up ? 1 : -1);
                bits |= (some[i] != 0 ? 1ul : 0) << i;
            }

            _brief.Write(first + (uint)start, some.Length, bits);
        }
    }
}
