using System.Numerics;

namespace Couic.Peering;

internal sealed partial class ReplicaIndex
{
    private readonly PeerQueue?[] _queues = new PeerQueue?[PeeringSettings.MaxPeers];
    private ulong _openQueues;

    /// <summary>Starts a queue under a free number below <see cref="PeeringSettings.MaxPeers"/>.</summary>
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
                _table[slot].Unaware &= ~(1UL << peer);
            }
        }
    }

    /// <summary>CIDRs that the peer has yet to confirm, and for how long the oldest has waited.</summary>
    public (int Count, TimeSpan Oldest) QueueState(int peer)
    {
        lock (_gate)
        {
            return _queues[peer] is { Count: > 0, Length: > 0 } queue
                ? (queue.Count, time.GetElapsedTime(queue.OldestSince))
                : (_queues[peer]?.Count ?? 0, TimeSpan.Zero);
        }
    }

    /// <summary>Queues every live record for one peer: for one that cannot ask for what it lacks.</summary>
    public void EnqueueAllLive(int peer)
    {
        lock (_gate)
        {
            for (int slot = 0; slot < _table.Used; slot++)
            {
                if (_table[slot].InUse && _table[slot].State == ReplicaState.Live)
                {
                    Enqueue(slot, peer);
                }
            }
        }
    }

    /// <summary>Takes the oldest queued records out for sending; each stays the peer's due until it is confirmed.</summary>
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
                    batch.Add(Read(item.Slot, item, (_table[item.Slot].Unaware & bit) == 0));
                }
            }
        }
    }

    /// <summary>The peer has these. What changed since it was taken goes back to the end of the queue.</summary>
    public void Confirm(int peer, List<OutgoingJob> batch)
    {
        lock (_gate)
        {
            foreach (OutgoingJob job in batch)
            {
                int slot = job.Place.Slot;
                if (_queues[peer] is not { } queue || !IsDue(slot, peer))
                {
                    continue;
                }

                ref Replica replica = ref _table[slot];
                if (replica.Cidr == job.Cidr)
                {
                    replica.Unaware &= ~(1UL << peer);
                }

                if (StampOf(slot) == job.Stamp && replica.Cidr == job.Cidr)
                {
                    replica.Queued &= ~(1UL << peer);
                    queue.Count--;
                }
                else
                {
                    Append(queue, slot, peer);
                }
            }
        }
    }

    /// <summary>Puts a batch that may not have arrived back in front, in its order.</summary>
    public void Return(int peer, List<OutgoingJob> batch)
    {
        lock (_gate)
        {
            for (int i = batch.Count - 1; i >= 0; i--)
            {
                if (IsDue(batch[i].Place.Slot, peer))
                {
                    // It may have arrived all the same, so from now on the peer may know of the CIDR.
                    _table[batch[i].Place.Slot].Unaware &= ~(1UL << peer);
                    _queues[peer]?.Prepend(batch[i].Place);
                }
            }
        }
    }

    private bool IsDue(int slot, int peer) => _table[slot].InUse && (_table[slot].Queued & (1UL << peer)) != 0;

    private void EnqueueForAll(int slot)
    {
        for (ulong left = _openQueues; left != 0; left &= left - 1)
        {
            Enqueue(slot, BitOperations.TrailingZeroCount(left));
        }
    }

    private void Enqueue(int slot, int peer)
    {
        ref Replica replica = ref _table[slot];
        if (_queues[peer] is { } queue && (replica.Queued & (1UL << peer)) == 0)
        {
            replica.Queued |= 1UL << peer;
            queue.Count++;
            Append(queue, slot, peer);
        }
    }

    /// <summary>
    /// Records that are forgotten leave their places in the ring behind. Without being dropped they would add up for as
    /// long as a peer is away.
    /// </summary>
    private void Append(PeerQueue queue, int slot, int peer)
    {
        if (queue.IsCrowded)
        {
            var seen = new System.Collections.BitArray(_table.Used);
            queue.Compact(other =>
            {
                bool isNeeded = IsDue(other, peer) && !seen[other];
                seen[other] = true;
                return isNeeded;
            });
        }

        queue.Append(new PeerQueue.Item(slot, time.GetTimestamp()));
    }

    /// <summary>Places in a peer's ring; for tests.</summary>
    public int RingLength(int peer)
    {
        lock (_gate)
        {
            return _queues[peer]?.Length ?? 0;
        }
    }
}
