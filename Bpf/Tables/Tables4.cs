using System.Numerics;
using Couic.Native;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>The tables in front of an IPv4 trie. The trie has each change first; see tables.bpf.h for how they are read.</summary>
internal sealed class Tables4(MappedMemory lines, Policy policy, Region4 region)
{
    private const int WideShift = 32 - Layout.Bits4Wide;
    private const int NarrowShift = 32 - Layout.Bits4Narrow;

    /// <summary>64 at least, as whole words of bits are cleared at once.</summary>
    private const uint BlocksPerWide = 1 << (WideShift - NarrowShift);

    private readonly BitTable _wide = new(lines, region.Wide);
    private readonly BitTable _narrow = new(lines, region.Narrow);

    /// <summary>Rules longer than /22 by /22; shorter ones are looked for.</summary>
    private readonly BitCounts _narrowCounts = new();
    private readonly LengthSets _summary = new(lines, 0);
    private readonly LengthSets _lengths = new(lines, region.Lengths);
    private readonly Rules4 _rules = new(lines, region.Rules, region.Buckets);

    /// <summary>
    /// Makes ready to be changed what a new rule needs, so that nothing can fail in the middle of <see cref="Set"/>; what is there
    /// can be removed without it.
    /// </summary>
    public Errno TryReach(Cidr cidr)
    {
        uint wide = cidr.V4 >> WideShift;
        Errno errno = _rules.TryReach(Rules4.Key(cidr.V4, cidr.Length));
        errno = errno == Errno.None ? _lengths.TryReach(wide, WideBlocks(cidr.Length)) : errno;
        errno = errno == Errno.None ? _wide.TryReach(wide, WideBlocks(cidr.Length)) : errno;
        return errno == Errno.None ? _narrow.TryReach(cidr.V4 >> NarrowShift, 1u << Math.Max(0, Layout.Bits4Narrow - cidr.Length)) : errno;
    }

    /// <summary>Brings near what a change of a rule will need, as far as it is one line of each table.</summary>
    public void Fetch(Cidr cidr)
    {
        _rules.Fetch(Rules4.Key(cidr.V4, cidr.Length));
        _lengths.Fetch(cidr.V4 >> WideShift, 32 - cidr.Length);
        _narrow.Fetch(cidr.V4 >> NarrowShift);
        _narrowCounts.Fetch(cidr.V4 >> NarrowShift);
    }

    /// <summary>Whether a new rule would be counted beside its prefix.</summary>
    public bool HasRoom(Cidr cidr) => _rules.HasRoom(Rules4.Key(cidr.V4, cidr.Length));

    public bool TryReadHit(Cidr cidr, out ulong hit) => _rules.TryReadHit(Rules4.Key(cidr.V4, cidr.Length), out hit);

    public void Set(Cidr cidr, uint rule, bool isNew)
    {
        _rules.Set(Rules4.Key(cidr.V4, cidr.Length), rule, isNew);
        if (isNew)
        {
            CountLength(cidr.V4, cidr.Length, up: true);
            PublishNarrow(cidr.V4, cidr.Length);
            PublishWide(cidr.V4, cidr.Length);
        }
    }

    public void Remove(Cidr cidr)
    {
        _rules.Remove(Rules4.Key(cidr.V4, cidr.Length));
        CountLength(cidr.V4, cidr.Length, up: false);
        RetractWide(cidr.V4, cidr.Length);
        RetractNarrow(cidr.V4, cidr.Length);
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
            for (uint i = 0; i < WideBlocks(length); i++)
            {
                _lengths.Put(first + i, 32 - length, up);
            }
        }

        _summary.Count(Layout.Summary4 + (uint)policy, 32 - length, up);
    }

    private void PublishNarrow(uint address, int length)
    {
        uint block = address >> NarrowShift;
        if (length <= Layout.Bits4Narrow)
        {
            _narrow.SetBlock(block, 1u << (Layout.Bits4Narrow - length));
        }
        else if (_narrowCounts.Increment(block) == 1)
        {
            _narrow.Set(block);
        }
    }

    private void RetractNarrow(uint address, int length)
    {
        uint block = address >> NarrowShift;
        if (length > Layout.Bits4Narrow)
        {
            if (_narrowCounts.Decrement(block) == 0)
            {
                ClearUncovered(block, block + 1);
            }

            return;
        }

        if (IsCovered(address, length))
        {
            return;
        }

        // By /16 where the prefix is larger: most of those hold nothing else.
        uint end = block + (1u << (Layout.Bits4Narrow - length));
        for (uint step = Math.Min(end - block, BlocksPerWide); block != end; block += step)
        {
            if (step == BlocksPerWide && _lengths[block >> (WideShift - NarrowShift)] == 0)
            {
                _narrow.ClearBlock(block, step);
            }
            else
            {
                ClearUncovered(block, block + step);
            }
        }
    }

    private void ClearUncovered(uint block, uint end)
    {
        for (; block != end; block++)
        {
            if (_narrowCounts[block] == 0 && !IsCovered(block << NarrowShift, Layout.Bits4Narrow))
            {
                _narrow.Clear(block);
            }
        }
    }

    /// <summary>Whether a prefix of up to a length covers an address.</summary>
    private bool IsCovered(uint address, int length)
    {
        for (ulong left = _lengths[address >> WideShift] >> (32 - length) << (32 - length); left != 0; left &= left - 1)
        {
            if (_rules.Contains(Rules4.Key(address, 32 - BitOperations.TrailingZeroCount(left))))
            {
                return true;
            }
        }

        return false;
    }

    private void PublishWide(uint address, int length)
    {
        uint first = address >> WideShift;
        for (uint i = 0; i < WideBlocks(length); i++)
        {
            _wide.Set(first + i);
        }
    }

    private void RetractWide(uint address, int length)
    {
        uint first = address >> WideShift;
        for (uint i = 0; i < WideBlocks(length); i++)
        {
            if (_lengths[first + i] == 0)
            {
                _wide.Clear(first + i);
            }
        }
    }
}
