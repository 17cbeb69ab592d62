using Couic.Native;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>The tables before an IPv6 trie. The trie gets each change first; tables.bpf.h reads them.</summary>
internal sealed class Tables6(MappedMemory lines, Policy policy, Region6 region)
{
    /// <summary>The longest prefix that is counted by the /20 blocks that it covers; a longer one is counted by at most eight /32.</summary>
    private const int MaxShortPrefix = 28;
    private const int CoarseLength = 32;
    private const int FineLength = 48;
    private const uint BitInLine = (Layout.CacheLineSize * 8) - 1;

    private readonly BitTable _coarse = new(lines, region.CoarseFilter);
    private readonly BitTable _fine = new(lines, region.FineFilter);
    private readonly BitTable _shortPrefixes = new(lines, region.ShortPrefixFilter);
    private readonly ushort[] _shortPrefixCounts = new ushort[1 << Layout.Bits6ShortPrefix];
    private readonly BitCounts _fineCounts = new();
    private readonly LengthSets _lengthSummary = new(lines, 0);
    private readonly LengthSets _lengths = new(lines, region.Lengths);
    private readonly Rules6 _rules = new(lines, region.Rules, region.Buckets);

    /// <summary>As <see cref="Tables4.EnsureMapped"/>.</summary>
    public Errno EnsureMapped(Cidr cidr)
    {
        if (cidr.Length <= MaxShortPrefix)
        {
            return _shortPrefixes.EnsureMapped(ShortPrefixIndex(cidr), ShortPrefixBlocks(cidr.Length));
        }

        Errno errno = _rules.EnsureMapped(Key6.Of(cidr));
        for (ulong i = 0; i < CoarseBlocks(cidr.Length) && errno == Errno.None; i++)
        {
            (uint coarse, uint fine) = Hashes(cidr, i);
            uint block = coarse >> (32 - Layout.Bits6Coarse);
            errno = _lengths.EnsureMapped(2 * block, 2);
            errno = errno == Errno.None ? _coarse.EnsureMapped(block, 1) : errno;
            errno = errno == Errno.None ? _fine.EnsureMapped(fine >> (32 - Layout.Bits6Fine), 1) : errno; // the other bit is in the same line
        }

        return errno;
    }

    /// <summary>As <see cref="Tables4.Prefetch"/>.</summary>
    public void Prefetch(Cidr cidr)
    {
        if (cidr.Length > MaxShortPrefix)
        {
            (uint coarse, uint fine) = Hashes(cidr, 0);
            (uint word, int bit) = Place(coarse >> (32 - Layout.Bits6Coarse), cidr.Length);
            _rules.Prefetch(Key6.Of(cidr));
            _lengths.Prefetch(word, bit);
            _fine.Prefetch(fine >> (32 - Layout.Bits6Fine));
            _fineCounts.Prefetch(fine >> (32 - Layout.Bits6Fine));
        }
    }

    /// <summary>Whether a new rule would have its hits beside its prefix; short prefixes, which only the trie holds, never do.</summary>
    public bool HasFreeSlot(Cidr cidr) => cidr.Length > MaxShortPrefix && _rules.HasFreeSlot(Key6.Of(cidr));

    public bool TryReadHit(Cidr cidr, out ulong hit)
    {
        hit = 0;
        return cidr.Length > MaxShortPrefix && _rules.TryReadHit(Key6.Of(cidr), out hit);
    }

    public void Set(Cidr cidr, uint rule, bool isNew)
    {
        if (cidr.Length > MaxShortPrefix)
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
        if (cidr.Length > MaxShortPrefix)
        {
            _rules.Remove(Key6.Of(cidr));
        }

        Count(cidr, up: false);
    }

    private void Count(Cidr cidr, bool up)
    {
        CountLength(_lengthSummary, (Layout.LengthSummary6 / 2) + (uint)policy, Math.Max((byte)1, cidr.Length), up);
        if (cidr.Length <= MaxShortPrefix)
        {
            CountShortPrefix(cidr, up);
            return;
        }

        for (ulong i = 0; i < CoarseBlocks(cidr.Length); i++)
        {
            (uint coarse, uint fine) = Hashes(cidr, i);
            CountLength(_lengths, coarse >> (32 - Layout.Bits6Coarse), cidr.Length, up);
            CountFine(fine, up);
            CountCoarse(coarse >> (32 - Layout.Bits6Coarse), up);
        }
    }

    private static ulong CoarseBlocks(int length) => 1ul << Math.Max(0, CoarseLength - length);

    private static uint ShortPrefixIndex(Cidr cidr) => (uint)(cidr.High >> (64 - Layout.Bits6ShortPrefix));

    private static uint ShortPrefixBlocks(int length) => 1u << Math.Max(0, Layout.Bits6ShortPrefix - length);

    private static (uint Coarse, uint Fine) Hashes(Cidr cidr, ulong block)
    {
        uint coarse = TableHash.Fold((cidr.High >> (64 - CoarseLength)) + block);
        return (coarse, cidr.Length >= FineLength ? TableHash.Fold(cidr.High >> (64 - FineLength)) : ~coarse);
    }

    /// <summary>Two bits per block, in one line.</summary>
    private void CountFine(uint hash, bool up)
    {
        uint first = hash >> (32 - Layout.Bits6Fine);
        CountFineBit(first, up);
        CountFineBit((first & ~BitInLine) | (unchecked(hash * 0x85ebca6bu) >> 23), up);
    }

    private void CountFineBit(uint index, bool up)
    {
        if (up && _fineCounts.Increment(index) == 1)
        {
            _fine.Set(index);
        }
        else if (!up && _fineCounts.Decrement(index) == 0)
        {
            _fine.Clear(index);
        }
    }

    private static void CountLength(LengthSets sets, uint block, int length, bool up)
    {
        (uint word, int bit) = Place(block, length);
        sets.Count(word, bit, up);
    }

    /// <summary>The bit of a length in a block: two words, the longer lengths first.</summary>
    private static (uint Word, int Bit) Place(uint block, int length) =>
        length > 64 ? (2 * block, 128 - length) : ((2 * block) + 1, 64 - length);

    private void CountCoarse(uint index, bool up)
    {
        if (up)
        {
            _coarse.Set(index);
        }
        else if ((_lengths[2 * index] | _lengths[(2 * index) + 1]) == 0)
        {
            _coarse.Clear(index);
        }
    }

    /// <summary>At most 532 prefixes of up to /28 overlap one /20, so 16 bits hold their number.</summary>
    private void CountShortPrefix(Cidr cidr, bool up)
    {
        uint first = ShortPrefixIndex(cidr);
        Span<ushort> counts = _shortPrefixCounts.AsSpan((int)first, (int)ShortPrefixBlocks(cidr.Length));
        for (int start = 0; start < counts.Length; start += BitTable.BitsPerWord)
        {
            Span<ushort> some = counts.Slice(start, Math.Min(counts.Length - start, BitTable.BitsPerWord));
            ulong bits = 0;
            for (int i = 0; i < some.Length; i++)
            {
                some[i] += (ushort)(up ? 1 : -1);
                bits |= (some[i] != 0 ? 1ul : 0) << i;
            }

            _shortPrefixes.Write(first + (uint)start, some.Length, bits);
        }
    }
}
