using System.Numerics;
using Couic.Store;

namespace Couic.Peering;

internal sealed partial class RegisterTable
{
    private readonly PeerQueue?[] _queues = new PeerQueue?[PeeringSettings.MaxPeers];
    private ulong _openQueues;

    /// <summary>Opens the queue of a peer number below <see cref="PeeringSettings.MaxPeers"/>.</summary>
    public void OpenQueue(int peer)
    {
        lock (_gate)
        {
            _queues[peer] = new PeerQueue();
            _openQueues |= 1UL << peer;
        }
    }

    public void CloseQueue(int peer)
    {
        lock (_gate)
        {
            _queues[peer] = null;
            _openQueues &= ~(1UL << peer);
            for (int slot = 0; slot < _table.Used; slot++)
            {
                _table[slot].Queued &= ~(1UL << peer);
                _table[slot].NeverSent &= ~(1UL << peer);
            }
        }
    }

    /// <summary>CIDRs that the peer has not confirmed, and the age of the oldest.</summary>
    public (int Count, TimeSpan Oldest) QueueState(int peer)
    {
        lock (_gate)
        {
            return _queues[peer] is { Count: > 0, Length: > 0 } queue
                ? (queue.Count, time.GetElapsedTime(queue.OldestSince))
                : (_queues[peer]?.Count ?? 0, TimeSpan.Zero);
        }
    }

    /// <summary>Queues every live register for one peer: a legacy peer cannot fetch what it lacks.</summary>
    public void EnqueueAllLive(int peer)
    {
        lock (_gate)
        {
            for (int slot = 0; slot < _table.Used; slot++)
            {
                if (_table[slot].InUse && _table[slot].State == RegisterState.Live)
                {
                    Enqueue(slot, peer);
                }
            }
        }
    }

    /// <summary>Takes the oldest queued registers for sending; each stays queued until the peer confirms it.</summary>
    public void TakeBatch(int peer, int max, List<OutgoingJob> batch)
    {
        lock (_gate)
        {
            PassDeadlines();
            ulong bit = 1UL << peer;
            for (PeerQueue? queue = _queues[peer]; queue is { Length: > 0 } && batch.Count < max;)
            {
                PeerQueue.Item item = queue.Take();
                if (_table[item.Slot].InUse && (_table[item.Slot].Queued & bit) != 0)
                {
                    batch.Add(Read(item.Slot, item, (_table[item.Slot].NeverSent & bit) == 0));
                }
            }
        }
    }

    /// <summary>The peer has these values. A value that changed in flight returns to the end of the queue.</summary>
    public void Confirm(int peer, List<OutgoingJob> batch)
    {
        lock (_gate)
        {
            foreach (OutgoingJob job in batch)
            {
                int slot = job.Place.Slot;
                if (_queues[peer] is not { } queue || !IsQueued(slot, peer))
                {
                    continue;
                }

                ref Register register = ref _table[slot];
                if (register.Cidr == job.Cidr)
                {
                    register.NeverSent &= ~(1UL << peer);
                }

                if (VersionOf(slot) == job.Version && register.Cidr == job.Cidr)
                {
                    register.Queued &= ~(1UL << peer);
                    queue.Count--;
                }
                else
                {
                    Append(queue, slot, peer);
                }
            }
        }
    }

    /// <summary>Returns a batch that may not have arrived to the front of the queue, in order.</summary>
    public void Return(int peer, List<OutgoingJob> batch)
    {
        lock (_gate)
        {
            for (int i = batch.Count - 1; i >= 0; i--)
            {
                if (IsQueued(batch[i].Place.Slot, peer))
                {
                    // It may have arrived nevertheless, so the peer may hold the CIDR from now on.
                    _table[batch[i].Place.Slot].NeverSent &= ~(1UL << peer);
                    _queues[peer]?.Prepend(batch[i].Place);
                }
            }
        }
    }

    private bool IsQueued(int slot, int peer) => _table[slot].InUse && (_table[slot].Queued & (1UL << peer)) != 0;

    private void EnqueueForAll(int slot)
    {
        for (ulong left = _openQueues; left != 0; left &= left - 1)
        {
            Enqueue(slot, BitOperations.TrailingZeroCount(left));
        }
    }

    private void Enqueue(int slot, int peer)
    {
        ref Register register = ref _table[slot];
        if (_queues[peer] is { } queue && (register.Queued & (1UL << peer)) == 0)
        {
            register.Queued |= 1UL << peer;
            queue.Count++;
            Append(queue, slot, peer);
        }
    }

    /// <summary>
    /// Dropped registers leave stale places in the ring. They are compacted, or they would accumulate for as long as a peer is
    /// away.
    /// </summary>
    private void Append(PeerQueue queue, int slot, int peer)
    {
        if (queue.IsCrowded)
        {
            var seen = new System.Collections.BitArray(_table.Used);
            queue.Compact(other =>
            {
                bool isNeeded = IsQueued(other, peer) && !seen[other];
                seen[other] = true;
                return isNeeded;
            });
        }

        queue.Append(new PeerQueue.Item(slot, time.GetTimestamp()));
    }

    /// <summary>Places in a peer's ring; used by tests.</summary>
    public int RingLength(int peer)
    {
        lock (_gate)
        {
            return _queues[peer]?.Length ?? 0;
        }
    }
}

/// <summary>
/// A FIFO of slots that one peer has not confirmed. The value is read when it is sent, so a CIDR that changed many times is
/// sent once. Not thread-safe.
/// </summary>
internal sealed class PeerQueue
{
    private Item[] _ring = new Item[64];
    private int _head;
    private int _length;

    /// <summary>CIDRs with the peer's bit set, including those in flight.</summary>
    public int Count { get; set; }

    /// <summary>Places in the ring; a place may be stale.</summary>
    public int Length => _length;

    /// <summary>Monotonic timestamp of the oldest place; requires one.</summary>
    public long OldestSince => _ring[_head].Since;

    public void Append(Item item)
    {
        EnsureRoom();
        _ring[(_head + _length++) & (_ring.Length - 1)] = item;
    }

    /// <summary>Returns an item that could not be sent to the front.</summary>
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

    /// <summary>Drops the places for which the predicate is false; keeps the order.</summary>
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

/// <summary>The latest value for a CIDR, copied for sending.</summary>
/// <param name="Left">Remaining time to live; null when it does not expire.</param>
/// <param name="Known">Whether a value for the CIDR was sent to the peer before, so that it may hold one.</param>
internal readonly record struct OutgoingJob(
    Cidr Cidr,
    RuleVersion Version,
    RegisterState State,
    ReadOnlyMemory<byte> Tag,
    ulong Expiration,
    TimeSpan? Left,
    bool Known,
    PeerQueue.Item Place)
{
    /// <summary>Why the entry exists; empty for none.</summary>
    public ReadOnlyMemory<byte> Reason { get; init; }
}
