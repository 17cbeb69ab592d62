using Couic.Native;

namespace Couic.Bpf.Tables;

/// <summary>
/// How many rules stand behind a bit, for tables of so many bits that an array of counts would cost more than the rules: open
/// addressing with linear probing, at most half full.
/// </summary>
internal sealed class BitCounts
{
    private uint[] _keys = new uint[1024];
    private int[] _counts = new int[1024];
    private int _used;

    public int this[uint index] => _counts[Find(index)];

    /// <summary>Brings near what a change of a count will look at.</summary>
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

    /// <summary>Moves those up that would no longer be found behind the gap.</summary>
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
