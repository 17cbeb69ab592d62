using Couic.Store;

namespace Couic.Peering;

internal sealed partial class ReplicaIndex
{
    private int _seenResets;
    private int _restampFrom = -1;

    /// <summary>
    /// The time that others should know of, so that their next change is stamped later than ours.
    /// </summary>
    public ulong Time
    {
        get
        {
            lock (_gate)
            {
                return _clock.Next();
            }
        }
    }

    /// <summary>Whether a stamp is not too far ahead of the own wall clock.</summary>
    public bool Accepts(ulong stamped)
    {
        lock (_gate)
        {
            return _clock.Accepts(stamped);
        }
    }

    /// <summary>By how much a stamp is ahead of the own wall clock; not negative.</summary>
    public TimeSpan LeadOf(ulong stamped)
    {
        lock (_gate)
        {
            return _clock.LeadOf(stamped);
        }
    }

    /// <summary>Takes note of how far the clocks of others have come.</summary>
    public void ObserveTime(ulong seen)
    {
        lock (_gate)
        {
            _clock.Observe(seen);
        }
    }

    /// <summary>A stamp for a change that carries none: one by a node that knows only the plain wire.</summary>
    public Stamp NewStamp()
    {
        lock (_gate)
        {
            return new Stamp(_clock.Next(), self);
        }
    }

    /// <summary>As <see cref="NewStamp()"/>, and later than what is known of the CIDR.</summary>
    public Stamp NewStamp(Cidr cidr)
    {
        lock (_gate)
        {
            return NextFor(cidr);
        }
    }

    /// <summary>
    /// Whether the own wall clock was set back so far that peers would refuse records made before. Their stamps have to be
    /// renewed, or they would win over every later change until the wall clock has caught up.
    /// </summary>
    public bool NeedsRestamp
    {
        get
        {
            lock (_gate)
            {
                _clock.FollowBack();
                if (_clock.Resets != _seenResets)
                {
                    _seenResets = _clock.Resets;
                    _restampFrom = 0;
                }

                return _restampFrom >= 0;
            }
        }
    }

    /// <summary>Renews the stamps of records from the future. Called by the holder of the store.</summary>
    /// <param name="budget">Slots to look at, at most.</param>
    /// <returns>How many were renewed.</returns>
    public int Restamp(int budget)
    {
        lock (_gate)
        {
            int renewed = 0, end = Math.Min(_table.Used, _restampFrom + budget);
            ulong limit = _clock.LeadLimit;
            for (int slot = _restampFrom; slot < end; slot++)
            {
                if (_table[slot].InUse && _table[slot].Time > limit)
                {
                    Renew(slot);
                    renewed++;
                }
            }

            _restampFrom = end < _table.Used ? end : -1;
            return renewed;
        }
    }

    private void Renew(int slot)
    {
        ref Replica replica = ref _table[slot];
        bool counts = replica.Has(ReplicaFlags.InDigest);
        if (counts)
        {
            Toggle(slot);
        }

        int node = _nodes.Acquire(self);
        _nodes.Release(replica.Node);
        replica.Node = node;
        replica.Time = _clock.Next();
        if (counts)
        {
            Toggle(slot);
        }

        if (replica.State != ReplicaState.Expired)
        {
            EnqueueForAll(slot); // each node expires its own
        }
    }

    /// <summary>
    /// The stamp of a local change: later than the known record even where that is ahead of the clock. A record too far
    /// ahead is not followed; it loses its stamp as well (<see cref="Restamp(int)"/>).
    /// </summary>
    private Stamp NextFor(Cidr cidr)
    {
        ulong next = _clock.Next();
        int slot = _table.Find(cidr);
        if (slot >= 0 && _table[slot].Time >= next && _clock.Accepts(_table[slot].Time))
        {
            next = _table[slot].Time + 1;
        }

        return new Stamp(next, self);
    }
}
