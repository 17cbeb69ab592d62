using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>Which prefix lengths a lookup has to probe, a word per block of addresses; couic.h defines the bits.</summary>
internal sealed class LengthSets(MappedMemory lines, uint firstLine)
{
    private const int BitsPerWord = 64;

    private readonly int _first = (int)(firstLine * (Layout.CacheLineSize / sizeof(ulong)));
    private readonly BitCounts _counts = new();

    public ulong this[uint word] => lines.As<ulong>()[_first + (int)word];

    /// <summary>Maps words before they are changed.</summary>
    public Errno EnsureMapped(uint word, uint count) => lines.EnsureMapped(sizeof(ulong) * (_first + (long)word), sizeof(ulong) * (long)count);

    /// <summary>Prefetches what <see cref="Count"/> reads.</summary>
    public void Prefetch(uint word, int bit)
    {
        Native.Prefetch.Line(ref At(word));
        _counts.Prefetch((word * BitsPerWord) + (uint)bit);
    }

    /// <summary>Counts one rule of a length up or down.</summary>
    public void Count(uint word, int bit, bool up)
    {
        uint index = (word * BitsPerWord) + (uint)bit;
        if (up ? _counts.Increment(index) == 1 : _counts.Decrement(index) == 0)
        {
            Put(word, 1, bit, up);
        }
    }

    /// <summary>Adds or removes a length of which each block can have only one rule.</summary>
    public void Put(uint word, uint count, int bit, bool there)
    {
        ulong mask = 1ul << bit;
        foreach (ref ulong lengths in lines.As<ulong>().Slice(_first + (int)word, (int)count))
        {
            Volatile.Write(ref lengths, there ? lengths | mask : lengths & ~mask);
        }
    }

    /// <summary>The words of some blocks.</summary>
    public ReadOnlySpan<ulong> Words(uint word, uint count) => lines.As<ulong>().Slice(_first + (int)word, (int)count);

    private ref ulong At(uint word) => ref lines.As<ulong>()[_first + (int)word];
}

/// <summary>A filter of bits: a zero means that no rule covers the block.</summary>
internal sealed class BitTable(MappedMemory lines, uint firstLine)
{
    public const int BitsPerWord = 64;

    private readonly int _first = (int)(firstLine * (Layout.CacheLineSize / sizeof(ulong)));

    /// <summary>Maps bits before they are changed.</summary>
    public Errno EnsureMapped(uint index, uint count) =>
        lines.EnsureMapped(sizeof(ulong) * (_first + (long)(index >> 6)), sizeof(ulong) * (((long)count + 63) >> 6));

    public void Prefetch(uint index) => Native.Prefetch.Line(ref Word(index));

    public void Set(uint index) => Volatile.Write(ref Word(index), Word(index) | (1ul << (int)(index & 63)));

    public void Clear(uint index) => Volatile.Write(ref Word(index), Word(index) & ~(1ul << (int)(index & 63)));

    /// <summary>Replaces aligned bits of one word; their number is a power of two.</summary>
    public void Write(uint index, int count, ulong bits)
    {
        ulong mask = (ulong.MaxValue >> (BitsPerWord - count)) << (int)(index & 63);
        ref ulong word = ref Word(index);
        Volatile.Write(ref word, (word & ~mask) | ((bits << (int)(index & 63)) & mask));
    }

    private ref ulong Word(uint index) => ref lines.As<ulong>()[_first + (int)(index >> 6)];
}

/// <summary>
/// How many rules set each bit of a table, which has so many bits that an array of counts would take more memory than the rules: open
/// addressing with linear probing, at most half full.
/// </summary>
internal sealed class BitCounts
{
    private uint[] _keys = new uint[1024];
    private int[] _counts = new int[1024];
    private int _used;

    public int this[uint index] => _counts[Find(index)];

    /// <summary>Prefetches what a change of a count reads.</summary>
    public void Prefetch(uint index)
    {
        int at = Home(index);
        Native.Prefetch.Line(ref _counts[at]);
        Native.Prefetch.Line(ref _keys[at]);
    }

    /// <returns>The count afterwards.</returns>
    public int Increment(uint index)
    {
        int at = Find(index);
        if (_counts[at]++ != 0)
        {
            return _counts[at];
        }

        _keys[at] = index;
        if (++_used * 2 > _keys.Length)
        {
            Grow();
        }

        return 1;
    }

    /// <returns>The count afterwards.</returns>
    public int Decrement(uint index)
    {
        int at = Find(index);
        if (_counts[at] == 0 || --_counts[at] != 0)
        {
            return _counts[at];
        }

        _used--;
        Close(at);
        return 0;
    }

    /// <summary>Where an index is looked for first.</summary>
    private int Home(uint index) => (int)((index * 0x9e3779b1u) >> 7) & (_keys.Length - 1);

    /// <summary>The place of an index, or the free one where it would go.</summary>
    private int Find(uint index)
    {
        int mask = _keys.Length - 1;
        int at = Home(index);
        while (_counts[at] != 0 && _keys[at] != index)
        {
            at = (at + 1) & mask;
        }

        return at;
    }

    /// <summary>Moves the entries that the gap would make unreachable.</summary>
    private void Close(int gap)
    {
        int mask = _keys.Length - 1;
        for (int at = (gap + 1) & mask; _counts[at] != 0; at = (at + 1) & mask)
        {
            int home = Home(_keys[at]);
            if (((at - home) & mask) >= ((at - gap) & mask))
            {
                _keys[gap] = _keys[at];
                _counts[gap] = _counts[at];
                _counts[at] = 0;
                gap = at;
            }
        }
    }

    private void Grow()
    {
        uint[] keys = _keys;
        int[] counts = _counts;
        _keys = new uint[keys.Length * 2];
        _counts = new int[keys.Length * 2];
        for (int i = 0; i < keys.Length; i++)
        {
            if (counts[i] != 0)
            {
                int at = Find(keys[i]);
                _keys[at] = keys[i];
                _counts[at] = counts[i];
            }
        }
    }
}
