using Couic.Native;
using Couic.Store;

namespace Couic.Bpf.Tables;

/// <summary>The tables in front of an IPv6 trie. The trie has each change first; see tables.bpf.h for how they are read.</summary>
internal sealed class Tables6(MappedMemory lines, Region6 region)
{
    /// <summary>Up to here a prefix counts by the /20 blocks it touches; a longer one by at most eight /32.</summary>
    private const int BriefLength = 28;
    private const int WideLength = 32;
    private const int NarrowLength = 48;

    private readonly BitTable _wide = new(lines, region.Wide);
    private readonly BitTable _narrow = new(lines, region.Narrow);
    private readonly BitTable _brief = new(lines, region.Brief);
    private readonly int[] _wideCounts = new int[1 << Layout.Bits6Wide];
    private readonly ushort[] _briefCounts = new ushort[1 << Layout.Bits6Short];
    private readonly BitCounts _narrowCounts = new();
    private readonly Hosts6 _hosts = new(lines, region.Hosts, region.Buckets);

    /// <summary>Whether a new host would be counted beside its address; other prefixes never are.</summary>
    public bool HasRoom(Cidr cidr) => cidr.Length == 128 && _hosts.HasRoom(cidr.High, cidr.Low);

    public ulong ReadHit(Cidr host) => _hosts.ReadHit(host.High, host.Low);

    public void Set(Cidr cidr, uint rule, bool isNew)
    {
        if (cidr.Length == 128)
        {
            _hosts.Set(cidr.High, cidr.Low, rule, isNew);
        }

        if (isNew)
        {
            Count(cidr, up: true);
        }
    }

    public void Remove(Cidr cidr)
    {
        if (cidr.Length == 128)
        {
            _hosts.Remove(cidr.High, cidr.Low);
        }

        Count(cidr, up: false);
    }

    private void Count(Cidr cidr, bool up)
    {
        if (cidr.Length <= BriefLength)
        {
            CountBrief(cidr, up);
            return;
        }

        ulong first = cidr.High >> (64 - WideLength);
        for (ulong i = 0; i < 1ul << Math.Max(0, WideLength - cidr.Length); i++)
        {
            uint wide = HostHash.Fold(first + i);
            uint narrow = cidr.Length >= NarrowLength ? HostHash.Fold(cidr.High >> (64 - NarrowLength)) : ~wide;
            CountNarrow(narrow, up);
            CountWide(wide >> (32 - Layout.Bits6Wide), up);
        }
    }

    /// <summary>Two bits for a block, by two hashes.</summary>
    private void CountNarrow(uint hash, bool up)
    {
        CountNarrowBit(hash >> (32 - Layout.Bits6Narrow), up);
        CountNarrowBit(unchecked(hash * 0x85ebca6bu) >> (32 - Layout.Bits6Narrow), up);
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

    private void CountWide(uint index, bool up)
    {
        _wideCounts[index] += up ? 1 : -1;
        if (up && _wideCounts[index] == 1)
        {
            _wide.Set(index);
        }
        else if (_wideCounts[index] == 0)
        {
            _wide.Clear(index);
        }
    }

    /// <summary>At most 532 prefixes of up to /28 touch one /20, so 16 bits hold their number.</summary>
    private void CountBrief(Cidr cidr, bool up)
    {
        uint first = (uint)(cidr.High >> (64 - Layout.Bits6Short));
        for (uint i = 0; i < 1u << Math.Max(0, Layout.Bits6Short - cidr.Length); i++)
        {
            ref ushort count = ref _briefCounts[first + i];
            count = (ushort)(count + (up ? 1 : -1));
            if (up && count == 1)
            {
                _brief.Set(first + i);
            }
            else if (count == 0)
            {
                _brief.Clear(first + i);
            }
        }
    }
}
