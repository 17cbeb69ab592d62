using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>Which prefix lengths a packet has to look for, a word for each block of addresses; couic.h says which bit is which.</summary>
internal sealed class LengthSets(MappedMemory lines, uint firstLine)
{
    private const int BitsPerWord = 64;

    private readonly int _first = (int)(firstLine * (Layout.LineSize / sizeof(ulong)));
    private readonly BitCounts _counts = new();

    public ulong this[uint word] => lines.As<ulong>()[_first + (int)word];

    /// <summary>Makes words ready to be changed.</summary>
    public Errno EnsureMapped(uint word, uint count) => lines.EnsureMapped(sizeof(ulong) * (_first + (long)word), sizeof(ulong) * (long)count);

    /// <summary>Brings near what <see cref="Count"/> will need.</summary>
    public void Prefetch(uint word, int bit)
    {
        Native.Prefetch.Line(ref At(word));
        _counts.Prefetch((word * BitsPerWord) + (uint)bit);
    }

    /// <summary>One rule of a length more, or one less.</summary>
    public void Count(uint word, int bit, bool up)
    {
        uint index = (word * BitsPerWord) + (uint)bit;
        if (up ? _counts.Increment(index) == 1 : _counts.Decrement(index) == 0)
        {
            Put(word, 1, bit, up);
        }
    }

    /// <summary>Adds a length of which each of some blocks can have only one rule, or takes it out.</summary>
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
