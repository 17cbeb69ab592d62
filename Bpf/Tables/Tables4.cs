using Couic.Native;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>The tables in front of an IPv4 trie. The trie has each change first; see tables.bpf.h for how they are read.</summary>
internal sealed class Tables4(MappedMemory lines, Policy policy, Region4 region)
{
    private const int WideShift = 32 - Layout.Bits4Wide;
    private const int NarrowShift = 32 - Layout.Bits4Narrow;

    private readonly BitTable _wide = new(lines, region.Wide);
    private readonly BitTable _narrow = new(lines, region.Narrow);

    /// <summary>Rules longer than /22 by /22.</summary>
    private readonly BitCounts _narrowCounts = new();
    private readonly Cover4 _cover = new();
    private readonly LengthSets _summary = new(lines, 0);
    private readonly LengthSets _lengths = new(lines, region.Lengths);
    private readonly Rules4 _rules = new(lines, region.Rules, region.Buckets);

    /// <summary>
    /// Makes ready to be changed what a new rule needs, so that nothing can fail in the middle of <see cref="Set"/>; what is there
    /// can be removed without it.
    /// </summary>
    public Errno EnsureMapped(Cidr cidr)
    {
        uint wide = cidr.V4 >> WideShift;
        Errno errno = _rules.EnsureMapped(Rules4.Key(cidr.V4, cidr.Length));
        errno = errno == Errno.None ? _lengths.EnsureMapped(wide, WideBlocks(cidr.Length)) : errno;
        errno = errno == Errno.None ? _wide.EnsureMapped(wide, WideBlocks(cidr.Length)) : errno;
        return errno == Errno.None ? _narrow.EnsureMapped(cidr.V4 >> NarrowShift, 1u << Math.Max(0, Layout.Bits4Narrow - cidr.Length)) : errno;
    }

    /// <summary>Brings near what a change of a rule will need, as far as it is one line of each table.</summary>
    public void Prefetch(Cidr cidr)
    {
        _rules.Prefetch(Rules4.Key(cidr.V4, cidr.Length));
        _lengths.Prefetch(cidr.V4 >> WideShift, 32 - cidr.Length);
        _narrow.Prefetch(cidr.V4 >> NarrowShift);
        _narrowCounts.Prefetch(cidr.V4 >> NarrowShift);
        _cover.Prefetch(cidr.V4 >> NarrowShift);
    }

    /// <summary>Whether a new rule would be counted beside its prefix.</summary>
    public bool HasFreeSlot(Cidr cidr) => _rules.HasFreeSlot(Rules4.Key(cidr.V4, cidr.Length));

    public bool TryReadHit(Cidr cidr, out ulong hit) => _rules.TryReadHit(Rules4.Key(cidr.V4, cidr.Length), out hit);

    public void Set(Cidr cidr, uint rule, bool isNew)
    {
        _rules.Set(Rules4.Key(cidr.V4, cidr.Length), rule, isNew);
        if (isNew)
        {
            CountLength(cidr.V4, cidr.Length, up: true);
            CountNarrow(cidr.V4, cidr.Length, up: true);
            RenewWide(cidr.V4, cidr.Length);
        }
    }

    public void Remove(Cidr cidr)
    {
        _rules.Remove(Rules4.Key(cidr.V4, cidr.Length));
        CountLength(cidr.V4, cidr.Length, up: false);
        RenewWide(cidr.V4, cidr.Length);
        CountNarrow(cidr.V4, cidr.Length, up: false);
    }

    private static uint WideBlocks(int length) => 1u << Math.Max(0, Layout.Bits4Wide - length);

    private void CountLength(uint address, int length, bool up)
    {
        uint first = address >> WideShift;
        if (length > Layout.Bits4Wide)
        {
            _lengths.Count(first, 32 - length, up);
        }
        else
        {
            _lengths.Put(first, WideBlocks(length), 32 - length, up);
        }

        _summary.Count(Layout.Summary4 + (uint)policy, 32 - length, up);
    }

    private void CountNarrow(uint address, int length, bool up)
    {
        if (length > Layout.Bits4Narrow)
        {
            uint block = address >> NarrowShift;
            if (up ? _narrowCounts.Increment(block) != 1 : _narrowCounts.Decrement(block) != 0)
            {
                return;
            }

            _cover.SetLonger(block, up);
        }
        else if (length > Layout.Bits4Wide)
        {
            _cover.SetPrefix(address, length, up);
        }

        RenewNarrow(address >> WideShift, WideBlocks(length));
    }

    /// <summary>A word for each /16: all of its bits where a prefix of up to /16 covers it, else those of the longer ones.</summary>
    private void RenewNarrow(uint first, uint count)
    {
        ReadOnlySpan<ulong> lengths = _lengths.Words(first, count);
        for (int i = 0; i < lengths.Length; i++)
        {
            uint wide = first + (uint)i;
            ulong bits = lengths[i] >> (32 - Layout.Bits4Wide) != 0 ? ulong.MaxValue : _cover.Bits(wide);
            _narrow.Write(wide << (WideShift - NarrowShift), 1 << (WideShift - NarrowShift), bits);
        }
    }

    /// <summary>A bit for each /16: whether any prefix touches it.</summary>
    private void RenewWide(uint address, int length)
    {
        uint first = address >> WideShift;
        ReadOnlySpan<ulong> lengths = _lengths.Words(first, WideBlocks(length));
        for (int start = 0; start < lengths.Length; start += BitTable.BitsPerWord)
        {
            int count = Math.Min(lengths.Length - start, BitTable.BitsPerWord);
            ulong bits = 0;
            for (int i = 0; i < count; i++)
            {
                bits |= (lengths[start + i] != 0 ? 1ul : 0) << i;
            }

            _wide.Write(first + (uint)start, count, bits);
        }
    }
}
