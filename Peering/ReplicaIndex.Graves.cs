namespace Couic.Peering;

internal sealed partial class ReplicaIndex
{
    private long _evicted;
    private long _refused;

    /// <summary>Dead records that are kept; for status and tests.</summary>
    public int DeadCount
    {
        get
        {
            lock (_gate)
            {
                return Dead;
            }
        }
    }

    public int LiveCount
    {
        get
        {
            lock (_gate)
            {
                return _table.Count - Dead;
            }
        }
    }

    public RecordCounts Counts
    {
        get
        {
            lock (_gate)
            {
                return new RecordCounts(_table.Count - Dead, Dead, Waiting.Count, _evicted, _refused);
            }
        }
    }

    /// <summary>
    /// Forgets dead records that nobody needs: every peer has confirmed them, and has since compared its rules with ours
    /// often enough that none can come back with an older word (<see cref="Rounds"/>).
    /// </summary>
    /// <param name="safeBefore">Monotonic timestamp; <see cref="Rounds.SafeBefore"/>.</param>
    /// <param name="budget">Records to look at, at most.</param>
    public void Collect(long safeBefore, int budget)
    {
        lock (_gate)
        {
            PassDeadlines();
            for (; budget > 0 && Graves.First is var slot and >= 0 && _table[slot].DiedAt < safeBefore; budget--)
            {
                if (_table[slot].Queued == 0)
                {
                    Forget(slot);
                }
                else
                {
                    Graves.MoveToEnd(slot); // not this one; the next may go
                }
            }
        }
    }

    /// <summary>
    /// Takes a record among the dead. They are never more than <see cref="MaxDead"/>: one that makes no difference is
    /// evicted in the same step, and where there is none, the oldest.
    /// </summary>
    private void Bury(int slot)
    {
        if (Dead >= MaxDead)
        {
            _evicted += TryFindNeedless() ? 0 : 1;
            Forget(Graves.First);
        }

        _table[slot].DiedAt = time.GetTimestamp();
        Graves.Append(slot);
    }

    /// <summary>
    /// Brings a dead record to the front that makes no difference to a peer: an expired one, or one of a rule that no absent
    /// peer ever heard of. Looks at some only, so that each burial costs the same.
    /// </summary>
    private bool TryFindNeedless()
    {
        const int Looks = 32;
        for (int look = 0; look < Looks && Graves.First >= 0; look++)
        {
            ref Replica replica = ref _table[Graves.First];
            if (replica.State == ReplicaState.Expired || (replica.Queued & ~replica.Unaware) == 0)
            {
                return true;
            }

            Graves.MoveToEnd(Graves.First);
        }

        return false;
    }

    private void Forget(int slot)
    {
        ref Replica replica = ref _table[slot];
        for (int peer = 0; replica.Queued != 0 && peer < _queues.Length; peer++)
        {
            if (IsDue(slot, peer))
            {
                _queues[peer]!.Count--;
            }
        }

        Empty(slot);
        _table.Remove(slot);
    }
}
