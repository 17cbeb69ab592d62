namespace Couic.Peering;

/// <summary>
/// The slots that one peer has yet to confirm, oldest first. What is sent is what the slot says then, so a CIDR that
/// changed many times travels once. Not thread-safe.
/// </summary>
internal sealed class PeerQueue
{
    private Item[] _ring = new Item[64];
    private int _head;
    private int _length;

    /// <summary>CIDRs with the peer's bit set, those on their way included.</summary>
    public int Count { get; set; }

    /// <summary>Places in the ring; a place may be stale.</summary>
    public int Length => _length;

    /// <summary>Monotonic timestamp since when the oldest waits. Only when there is one.</summary>
    public long OldestSince => _ring[_head].Since;

    public void Append(Item item)
    {
        EnsureRoom();
        _ring[(_head + _length++) & (_ring.Length - 1)] = item;
    }

    /// <summary>Puts back what could not be sent, in front.</summary>
    public void Prepend(Item item)
    {
        EnsureRoom();
        _head = (_head - 1) & (_ring.Length - 1);
        _ring[_head] = item;
        _length++;
    }

    public Item Take()
    {
        Item item = _ring[_head];
        _head = (_head + 1) & (_ring.Length - 1);
        if (--_length == 0 && _ring.Length > 4_096)
        {
            _ring = new Item[64]; // a peer was away for long; its memory is given back
            _head = 0;
        }

        return item;
    }

    /// <summary>Whether the ring is full and most of it is stale.</summary>
    public bool IsCrowded => _length == _ring.Length && _length > (2 * Count) + 64;

    /// <summary>Drops stale places: those for which the answer is false. Keeps the order.</summary>
    public void Compact(Func<int, bool> isNeeded)
    {
        for (int left = _length; left > 0; left--)
        {
            Item item = _ring[_head];
            _head = (_head + 1) & (_ring.Length - 1);
            _length--;
            if (isNeeded(item.Slot))
            {
                _ring[(_head + _length++) & (_ring.Length - 1)] = item;
            }
        }
    }

    private void EnsureRoom()
    {
        if (_length < _ring.Length)
        {
            return;
        }

        var larger = new Item[_ring.Length * 2];
        for (int i = 0; i < _length; i++)
        {
            larger[i] = _ring[(_head + i) & (_ring.Length - 1)];
        }

        _ring = larger;
        _head = 0;
    }

    public readonly record struct Item(int Slot, long Since);
}
