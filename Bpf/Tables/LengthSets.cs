using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>Which prefix lengths a packet has to look for, a word for each block of addresses; couic.h says which bit is which.</summary>
internal sealed class LengthSets(MappedMemory lines, uint firstLine)
{
    private const int BitsPerWord = 64;

    private readonly int _first = (int)(firstLine * (Layout.LineSize / sizeof(ulong)));
    private readonly BitCounts _counts = new();

    public ulong this[uint word] => lines.As<ulong>()[_first + (int)word];

    /// <summary>One more rule of a length.</summary>
    public void Increment(uint word, int bit)
    {
        if (_counts.Increment((word * BitsPerWord) + (uint)bit) == 1)
        {
            Set(word, bit);
        }
    }

    /// <summary>One less.</summary>
    public void Decrement(uint word, int bit)
    {
        if (_counts.Decrement((word * BitsPerWord) + (uint)bit) == 0)
        {
            Clear(word, bit);
        }
    }

    /// <summary>Sets a length of which a block can have only one rule.</summary>
    public void Set(uint word, int bit) => Volatile.Write(ref At(word), this[word] | (1ul << bit));

    /// <summary>Undoes <see cref="Set"/>.</summary>
    public void Clear(uint word, int bit) => Volatile.Write(ref At(word), this[word] & ~(1ul << bit));

    private ref ulong At(uint word)
    {
        int at = _first + (int)word;
        lines.Reach((long)at * sizeof(ulong), sizeof(ulong));
        return ref lines.As<ulong>()[at];
    }
}
