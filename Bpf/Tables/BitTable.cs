using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>Bits that packets are sorted by first: a zero means that no rule is behind it.</summary>
internal sealed class BitTable(MappedMemory lines, uint firstLine)
{
    public const int BitsPerWord = 64;

    private readonly int _first = (int)(firstLine * (Layout.LineSize / sizeof(ulong)));

    /// <summary>Makes bits ready to be changed.</summary>
    public Errno EnsureMapped(uint index, uint count) =>
        lines.EnsureMapped(sizeof(ulong) * (_first + (long)(index >> 6)), sizeof(ulong) * (((long)count + 63) >> 6));

    public void Prefetch(uint index) => Native.Prefetch.Line(ref Word(index));

    public void Set(uint index) => Volatile.Write(ref Word(index), Word(index) | (1ul << (int)(index & 63)));

    public void Clear(uint index) => Volatile.Write(ref Word(index), Word(index) & ~(1ul << (int)(index & 63)));

    /// <summary>Replaces bits of one word, whose number is a power of two and which start at a multiple of it.</summary>
    public void Write(uint index, int count, ulong bits)
    {
        ulong mask = (ulong.MaxValue >> (BitsPerWord - count)) << (int)(index & 63);
        ref ulong word = ref Word(index);
        Volatile.Write(ref word, (word & ~mask) | ((bits << (int)(index & 63)) & mask));
    }

    private ref ulong Word(uint index) => ref lines.As<ulong>()[_first + (int)(index >> 6)];
}
