namespace Couic.Store;

/// <summary>
/// The reasons of those slots of a table that have one. Slots without one cost nothing; equal texts are stored once. Not thread-safe.
/// </summary>
internal sealed class SlotReasons(ReasonTexts texts)
{
    private Dictionary<int, int> _bySlot = [];

    /// <summary>The number of a slot's reason, 0 for none.</summary>
    public int this[int slot] => _bySlot.GetValueOrDefault(slot);

    /// <summary>Gives a slot another reason. The slot takes over one hold of the number; the previous one is not released.</summary>
    public void Set(int slot, int reason)
    {
        if (reason != 0)
        {
            _bySlot[slot] = reason;
        }
        else if (_bySlot.Count > 0 && _bySlot.Remove(slot) && _bySlot.Count == 0)
        {
            _bySlot = []; // returns the memory
        }
    }

    /// <summary>The text of a slot's reason; empty for none.</summary>
    public byte[] Text(int slot) => texts[this[slot]];
}

/// <summary>Interned reasons; number 0 is "no reason". Bounded in total. Not thread-safe.</summary>
internal sealed class ReasonTexts
{
    /// <summary>Bytes of different reasons, with what each takes besides its text. A further one is not stored; its entry is.</summary>
    public const int MaxBytes = 16 * 1024 * 1024;

    /// <summary>What a reason takes besides its text: array, number and index.</summary>
    private const int Overhead = 120;

    private readonly NameTable _names = new(pinned: 0);

    public byte[] this[int reason] => _names[reason];

    public int Bytes { get; private set; }

    /// <summary>The number of a text that is known, or -1.</summary>
    public int Find(ReadOnlySpan<byte> text) => _names.Find(text);

    /// <summary>The number of a text and one more hold of it; 0 if it does not fit.</summary>
    public int Acquire(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty)
        {
            return 0;
        }

        if (_names.Find(text) < 0)
        {
            if (Bytes + text.Length + Overhead > MaxBytes)
            {
                return 0;
            }

            Bytes += text.Length + Overhead;
        }

        return _names.Acquire(text);
    }

    public void Hold(int reason)
    {
        if (reason != 0)
        {
            _names.Hold(reason);
        }
    }

    public void Release(int reason)
    {
        if (reason != 0)
        {
            Bytes -= _names.Holders(reason) == 1 ? _names[reason].Length + Overhead : 0;
            _names.Release(reason);
        }
    }
}
