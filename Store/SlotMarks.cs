using System.Numerics;

namespace Couic.Store;

/// <summary>
/// One bit per slot of a table: it changed since it was last written. Bounded by the table, however many changes there are and however
/// long the disk takes. The lock of the table guards it.
/// </summary>
internal sealed class SlotMarks
{
    private ulong[] _words = new ulong[64];

    public int Count { get; private set; }

    public void Set(int slot)
    {
        int word = slot >> 6;
        if (word >= _words.Length)
        {
            Array.Resize(ref _words, (int)BitOperations.RoundUpToPowerOf2((uint)word + 1));
        }

        ulong bit = 1UL << (slot & 63);
        Count += (_words[word] & bit) == 0 ? 1 : 0;
        _words[word] |= bit;
    }

    /// <summary>Takes the first mark from a slot on; -1 when there is none.</summary>
    public int Take(int from)
    {
        if (Count == 0)
        {
            return -1;
        }

        for (int word = from >> 6; word < _words.Length; word++)
        {
            ulong bits = word == from >> 6 ? _words[word] & (ulong.MaxValue << (from & 63)) : _words[word];
            if (bits != 0)
            {
                _words[word] &= ~(bits & (0 - bits));
                Count--;
                return (word << 6) + BitOperations.TrailingZeroCount(bits);
            }
        }

        return -1;
    }
}
