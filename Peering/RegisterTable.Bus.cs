using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// What the table knows about the log of the bus: which registers it holds, at which sequence. A register has a mark (<see cref="BusQueue"/>)
/// until the log has acknowledged its value; a value of another node has one that waits (<see cref="RelayQueue"/>), as its node is about to
/// publish it.
/// </summary>
internal sealed partial class RegisterTable
{
    /// <summary>Number of the queue of registers to publish; peers have the lower ones.</summary>
    public const int BusQueue = PeeringSettings.MaxPeers - 1;

    /// <summary>Number of the queue of registers to publish unless the log holds them in a moment.</summary>
    public const int RelayQueue = BusQueue - 1;

    /// <summary>The register was deleted from the log, and is not published again.</summary>
    private const ulong Deleted = ulong.MaxValue;

    /// <summary>Flag of a sequence that the present reading of the log has not shown yet.</summary>
    private const ulong Doubtful = 1UL << 63;

    /// <summary>Flag of a sequence at which the log holds an older value.</summary>
    private const ulong Stale = 1UL << 62;

    /// <summary>
    /// By slot: the last sequence of the CIDR in the log, with flags; 0 for none. Null without a bus, so that it costs nothing then.
    /// </summary>
    private ulong[]? _sequences;

    private int _deleteFrom;

    public bool HasBus
    {
        get
        {
            lock (_gate)
            {
                return _sequences is not null;
            }
        }
    }

    /// <summary>Starts to keep marks. All registers get a mark that waits.</summary>
    public void OpenBus()
    {
        lock (_gate)
        {
            _sequences = new ulong[1_024];
            OpenQueue(BusQueue);
            _queues[RelayQueue] = new PeerQueue();
            for (int slot = 0; slot < _table.Used; slot++)
            {
                if (_table[slot].InUse && _table[slot].State != RegisterState.Expired)
                {
                    _table[slot].NeverSent |= 1UL << BusQueue;
                    Enqueue(slot, RelayQueue);
                }
            }
        }
    }

    public void CloseBus()
    {
        lock (_gate)
        {
            CloseQueue(BusQueue);
            CloseQueue(RelayQueue);
            _sequences = null;
        }
    }

    /// <summary>
    /// The log has shown a value: it holds the present one, or an older one, which is then repaired: at once by the node that made the present
    /// one, by others in a moment.
    /// </summary>
    public LogValue OnLog(Cidr cidr, RuleVersion version, ulong sequence)
    {
        lock (_gate)
        {
            int slot = _table.Find(cidr);
            if (slot < 0 || VersionOf(slot) < version)
            {
                return LogValue.Refused;
            }

            if (_sequences is null || sequence < PositionOf(slot))
            {
                return LogValue.Known; // a later message is known
            }

            if (VersionOf(slot) == version)
            {
                Hold(slot, sequence);
                Unqueue(slot, BusQueue);
                Unqueue(slot, RelayQueue);
                return LogValue.Known;
            }

            SequenceOf(slot) = sequence | Stale;
            _table[slot].NeverSent &= ~(1UL << BusQueue);
            Enqueue(slot, _nodes[_table[slot].Node] == self ? BusQueue : RelayQueue);
            return LogValue.Older;
        }
    }

    /// <summary>The log has acknowledged values; the others return to the queue.</summary>
    /// <param name="sequences">One per job; 0 where it was not acknowledged.</param>
    public void ConfirmOnLog(List<OutgoingJob> batch, IReadOnlyList<ulong> sequences)
    {
        lock (_gate)
        {
            if (_sequences is null)
            {
                return;
            }

            var confirmed = new List<OutgoingJob>(batch.Count);
            var returned = new List<OutgoingJob>();
            for (int i = 0; i < batch.Count; i++)
            {
                // A later message with an older value may have come before the acknowledgement.
                bool holds = sequences[i] != 0 && (sequences[i] > PositionOf(batch[i].Place.Slot) || IsOnLog(batch[i].Place.Slot));
                (holds ? confirmed : returned).Add(batch[i]);
            }

            Confirm(BusQueue, confirmed);
            Return(BusQueue, returned);
            for (int i = 0; i < batch.Count; i++)
            {
                int slot = batch[i].Place.Slot;
                if (_table[slot].InUse && _table[slot].Cidr == batch[i].Cidr && VersionOf(slot) == batch[i].Version && sequences[i] > PositionOf(slot))
                {
                    Hold(slot, sequences[i]);
                }
            }
        }
    }

    /// <summary>Values that have waited long enough, and that the log does not hold yet, are to be published.</summary>
    public void PromoteRelays(TimeSpan wait)
    {
        lock (_gate)
        {
            while (_queues[RelayQueue] is { Length: > 0 } queue && time.GetElapsedTime(queue.OldestSince) >= wait)
            {
                int slot = queue.Take().Slot;
                if (IsQueued(slot, RelayQueue))
                {
                    Unqueue(slot, RelayQueue);
                    if (!IsOnLog(slot) && SequenceOf(slot) != Deleted && IsNewsToLog(slot))
                    {
                        Enqueue(slot, BusQueue);
                    }
                }
            }
        }
    }

    /// <summary>Before the log is read again from its first message: everything that it held has to be shown again.</summary>
    public void DoubtLog() => ForEachSlot(slot =>
    {
        ref ulong sequence = ref SequenceOf(slot);
        sequence |= IsOnLog(slot) ? Doubtful : 0;
    });

    /// <summary>The log is another one: it holds nothing of what the former one held.</summary>
    public void ForgetLog() => ForEachSlot(slot => SequenceOf(slot) = SequenceOf(slot) == Deleted && _table[slot].State != RegisterState.Live ? Deleted : 0);

    /// <summary>After the log was read from its first message to its end: settles what it no longer holds.</summary>
    /// <param name="removed">Receives live values that were deleted from the log; null when they are to be published again.</param>
    public void EndDoubt(List<OutgoingJob>? removed) => ForEachSlot(slot =>
    {
        ref ulong sequence = ref SequenceOf(slot);
        if ((sequence & Doubtful) == 0 || sequence == Deleted)
        {
            return;
        }

        bool isLive = _table[slot].State == RegisterState.Live;
        sequence = isLive ? 0 : Deleted;
        if (isLive && !IsQueued(slot, BusQueue))
        {
            removed?.Add(Read(slot, default, known: true));
        }
    });

    /// <summary>Marks what the log lacks.</summary>
    /// <param name="ownOnly">Only what this node made.</param>
    /// <param name="youngest">Older tombstones are not published.</param>
    public void EnqueueMissing(bool ownOnly, TimeSpan youngest) => ForEachSlot(slot =>
    {
        ref Register register = ref _table[slot];
        bool counts = register.State == RegisterState.Live
            || (register.State == RegisterState.Removed && time.GetElapsedTime(register.TombstoneSince) < youngest);
        if (!IsOnLog(slot) && SequenceOf(slot) != Deleted && counts && (!ownOnly || _nodes[register.Node] == self))
        {
            Enqueue(slot, BusQueue);
        }
    });

    /// <summary>Messages that the log should hold, by what this node knows: live registers, and tombstones up to an age.</summary>
    public int CountOnLog(TimeSpan tombstones)
    {
        int count = 0;
        ForEachSlot(slot => count += IsOnLog(slot)
            && (_table[slot].State == RegisterState.Live || time.GetElapsedTime(_table[slot].TombstoneSince) < tombstones) ? 1 : 0);
        return count;
    }

    /// <summary>
    /// Tombstones to delete from the log: those of this node after a time, those of others after a longer one that differs per node.
    /// </summary>
    /// <param name="others">Null for those of this node alone.</param>
    /// <param name="budget">Maximum number of slots to examine; the next call continues.</param>
    public void TakeDeletable(TimeSpan own, TimeSpan? others, int budget, int max, List<(Cidr Cidr, ulong Sequence)> found)
    {
        lock (_gate)
        {
            for (; _sequences is not null && budget > 0 && found.Count < max; budget--)
            {
                if (_deleteFrom >= _table.Used)
                {
                    _deleteFrom = 0;
                    return;
                }

                int slot = _deleteFrom++;
                ref Register register = ref _table[slot];
                if (!register.InUse || register.State == RegisterState.Live || !IsOnLog(slot))
                {
                    continue;
                }

                bool isOwn = _nodes[register.Node] == self;
                if ((isOwn ? own : others + (own * (JitterOf(register.Cidr) / 256.0))) is { } due && time.GetElapsedTime(register.TombstoneSince) > due)
                {
                    found.Add((register.Cidr, PositionOf(slot)));
                }
            }
        }
    }

    /// <summary>The rule was removed here because the log no longer has it, so the tombstone is not published.</summary>
    public void OnSwept(Cidr cidr, RuleVersion version)
    {
        lock (_gate)
        {
            int slot = _table.Find(cidr);
            if (slot >= 0 && _sequences is not null && VersionOf(slot) == version && _table[slot].State != RegisterState.Live)
            {
                Unqueue(slot, RelayQueue);
                SequenceOf(slot) = Deleted;
            }
        }
    }

    /// <summary>The log no longer holds the message with that sequence.</summary>
    public void OnDeleted(Cidr cidr, ulong sequence)
    {
        lock (_gate)
        {
            int slot = _table.Find(cidr);
            if (slot >= 0 && _sequences is not null && SequenceOf(slot) == sequence && _table[slot].State != RegisterState.Live)
            {
                SequenceOf(slot) = Deleted;
            }
        }
    }

    /// <summary>The same CIDR has another one on every node.</summary>
    private byte JitterOf(Cidr cidr) => (byte)(DigestTree.LeafOf(cidr) ^ (int)(self & 0xff));

    /// <summary>An expired rule is news only if the log ever held a value for the CIDR: each node expires its own.</summary>
    private bool IsNewsToLog(int slot) => _table[slot].State != RegisterState.Expired || (_table[slot].NeverSent & (1UL << BusQueue)) == 0;

    /// <summary>The log holds the present value. A tombstone counts its time from here: nodes that are connected have read it.</summary>
    private void Hold(int slot, ulong sequence)
    {
        bool isNews = !IsOnLog(slot);
        SequenceOf(slot) = sequence;
        ref Register register = ref _table[slot];
        register.NeverSent &= ~(1UL << BusQueue);
        if (isNews && register.State != RegisterState.Live)
        {
            register.TombstoneSince = time.GetTimestamp();
            Tombstones.MoveToEnd(slot);
        }
    }

    private void Unqueue(int slot, int queue)
    {
        if (IsQueued(slot, queue))
        {
            _table[slot].Queued &= ~(1UL << queue);
            _queues[queue]!.Count--;
        }
    }

    /// <summary>The slot was that of another CIDR.</summary>
    private void ForgetPosition(int slot)
    {
        if (_sequences is not null)
        {
            SequenceOf(slot) = 0;
        }
    }

    /// <summary>A value that the log has not shown; <paramref name="relays"/>: another node made it.</summary>
    private void OnNewValue(int slot, bool relays)
    {
        if (_sequences is not null)
        {
            SequenceOf(slot) = PositionOf(slot) is var position and > 0 ? position | Stale : 0;
            if (relays)
            {
                Enqueue(slot, RelayQueue);
            }
        }
    }

    /// <summary>Whether the log holds the present value, as far as is known.</summary>
    private bool IsOnLog(int slot) => SequenceOf(slot) is not (0 or Deleted) && (SequenceOf(slot) & Stale) == 0;

    /// <summary>The last known sequence of the CIDR in the log; 0 for none.</summary>
    private ulong PositionOf(int slot) => SequenceOf(slot) == Deleted ? 0 : SequenceOf(slot) & ~(Doubtful | Stale);

    private ref ulong SequenceOf(int slot)
    {
        if (slot >= _sequences!.Length)
        {
            Array.Resize(ref _sequences, Math.Max(slot + 1, 2 * _sequences.Length));
        }

        return ref _sequences[slot];
    }

    private void ForEachSlot(Action<int> action)
    {
        for (int from = 0, used; ; from += PartSlice)
        {
            lock (_gate)
            {
                used = _sequences is null ? 0 : _table.Used;
                for (int slot = from; slot < Math.Min(used, from + PartSlice); slot++)
                {
                    if (_table[slot].InUse)
                    {
                        action(slot);
                    }
                }
            }

            if (from + PartSlice >= used)
            {
                return;
            }
        }
    }
}

/// <summary>What a value of the log is to this node.</summary>
internal enum LogValue
{
    Known,

    /// <summary>It is repaired.</summary>
    Older,

    /// <summary>Newer than what this node holds: store, table, guard or clock refused it.</summary>
    Refused,
}
