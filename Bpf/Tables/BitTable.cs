using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>Bits that packets are sorted by first: a zero means that no rule is behind it.</summary>
internal sealed class BitTable(MappedMemory lines, uint firstLine)
{
    private const ulong All = ulong.MaxValue;

    private readonly int _first = (int)(firstLine * (Layout.LineSize / sizeof(ulong)));

    /// <summary>Makes bits ready to be changed.</summary>
    public Errno TryReach(uint index, uint count) =>
        lines.TryReach(sizeof(ulong) * (_first + (long)(index >> 6)), sizeof(ulong) * (((long)count + 63) >> 6));

    public void Fetch(uint index) => Cache.Fetch(ref Word(index));

    public void Set(uint index) => Volatile.Write(ref Word(index), Word(index) | (1ul << (int)(index & 63)));

    public void Clear(uint index) => Volatile.Write(ref Word(index), Word(index) & ~(1ul << (int)(index & 63)));

    /// <summary>Sets a block whose size is a power of two and which starts at a multiple of it.</summary>
    public void SetBlock(uint index, uint count)
    {
        if (count < 64)
        {
            Volatile.Write(ref Word(index), Word(index) | (((1ul << (int)count) - 1) << (int)(index & 63)));
            return;
        }

        for (uint end = index + count; index != end; index += 64)
        {
            Volatile.Write(ref Word(index), All);
        }
    }

    /// <summary>Clears whole words: index and count are multiples of 64.</summary>
    public void ClearBlock(uint index, uint count)
    {
        for (uint end = index + count; index != end; index += 64)
        {
            Volatile.Write(ref Word(index), 0);
        }
    }

    private ref ulong Word(uint index) => ref lines.As<ulong>()[_first + (int)(index >> 6)];
}
