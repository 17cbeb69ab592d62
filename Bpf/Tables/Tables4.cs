using Couic.Native;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>The tables in front of an IPv4 trie. The trie has each change first; see tables.bpf.h for how they are read.</summary>
internal sealed class Tables4(MappedMemory lines, Region4 region, Func<uint, int, uint> covering)
{
    private const int WideShift = 32 - Layout.Bits4Wide;
    private const int NarrowShift = 32 - Layout.Bits4Narrow;
    private const uint BlocksPerWide = 1 << (WideShift - NarrowShift);

    private readonly BitTable _wide = new(lines, region.Wide);
    private readonly BitTable _narrow = new(lines, region.Narrow);
    private readonly int[] _wideCounts = new int[1 << Layout.Bits4Wide];

    /// <summary>Rules longer than /24 by /24; shorter ones are seen in <see cref="_prefixes"/>.</summary>
    private readonly BitCounts _narrowCounts = new();

    private readonly Hosts4 _hosts = new(lines, region.Hosts, region.Buckets);
    private readonly Prefixes4 _prefixes = new(lines, region, covering);

    /// <summary>Whether a new host would be counted beside its address; other prefixes never are.</summary>
    public bool HasRoom(Cidr cidr) => cidr.Length == 32 && _hosts.HasRoom(cidr.V4);

    public ulong ReadHit(Cidr host) => _hosts.ReadHit(host.V4);

    public void Set(Cidr cidr, uint rule, bool isNew)
    {
        uint address = cidr.V4;
        if (cidr.Length == 32)
        {
            _hosts.Set(address, rule, isNew);
        }
        else
        {
            _prefixes.Set(address, cidr.Length, rule, isNew);
        }

        if (isNew)
        {
            PublishNarrow(address, cidr.Length);
            PublishWide(address, cidr.Length);
        }
    }

    public void Remove(Cidr cidr)
    {
        uint address = cidr.V4;
        bool isCovered = false;
        if (cidr.Length == 32)
        {
            _hosts.Remove(address);
        }
        else
        {
            isCovered = _prefixes.Remove(address, cidr.Length);
        }

        RetractWide(address, cidr.Length);
        RetractNarrow(address, cidr.Length, isCovered);
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

    private void RetractNarrow(uint address, int length, bool isCovered)
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

        if (isCovered)
        {
            return;
        }

        // By /16 where the prefix is larger: most of those hold nothing else.
        uint end = block + (1u << (Layout.Bits4Narrow - length));
        for (uint step = Math.Min(end - block, BlocksPerWide); block != end; block += step)
        {
            if (step == BlocksPerWide && _wideCounts[block >> (WideShift - NarrowShift)] == 0)
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
            if (_narrowCounts[block] == 0 && !_prefixes.Covers24(block))
            {
                _narrow.Clear(block);
            }
        }
    }

    private void PublishWide(uint address, int length)
    {
        uint first = address >> WideShift;
        for (uint i = 0; i < 1u << Math.Max(0, Layout.Bits4Wide - length); i++)
        {
            if (_wideCounts[first + i]++ == 0)
            {
                _wide.Set(first + i);
            }
        }
    }

    private void RetractWide(uint address, int length)
    {
        uint first = address >> WideShift;
        for (uint i = 0; i < 1u << Math.Max(0, Layout.Bits4Wide - length); i++)
        {
            if (--_wideCounts[first + i] == 0)
            {
                _wide.Clear(first + i);
            }
        }
    }
}
