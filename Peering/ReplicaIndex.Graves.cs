namespace Couic.Peering;

internal sealed partial class ReplicaIndex
{
    private readonly Queue<Grave> _graves = new();

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

    /// <summary>
    /// Forgets dead records that nobody needs: every peer has confirmed them, and has since compared its rules with ours
    /// often enough that none can come back with an older word (<see cref="Rounds"/>). Beyond <see cref="MaxDead"/> those go
    /// first that make no difference to a peer: expired ones, and those that no absent peer ever heard of.
    /// </summary>
    /// <param name="safeBefore">Monotonic timestamp; <see cref="Rounds.SafeBefore"/>.</param>
    /// <param name="budget">Graves to look at, at most.</param>
    public void Collect(long safeBefore, int budget)
    {
        lock (_gate)
        {
            PassDeadlines();
            for (; budget > 0 && _graves.TryPeek(out Grave grave); budget--)
            {
                bool crowded = Dead > MaxDead;
                if (!IsOf(grave))
                {
                    _graves.Dequeue();
                    continue;
                }

                ref Replica replica = ref _table[grave.Slot];
                bool rested = grave.DiedAt < safeBefore;
                bool matters = replica.State == ReplicaState.Removed && (replica.Queued & ~replica.Unaware) != 0;
                if (rested && replica.Queued == 0)
                {
                    Forget(grave.Slot);
                }
                else if (crowded && !matters)
                {
                    Forget(grave.Slot);
                }
                else if (crowded || rested)
                {
                    _graves.Enqueue(grave); // not this one; the next may go
                }
                else
                {
                    return; // those behind it are younger
                }

                _graves.Dequeue();
            }
        }
    }

    private void Bury(int slot)
    {
        long now = time.GetTimestamp();
        _table[slot].DiedAt = now;
        _graves.Enqueue(new Grave(slot, now, _table[slot].Time));
        Dead++;
    }

    /// <summary>Whether the grave is still that record's, and not of one that came alive again or took its slot.</summary>
    private bool IsOf(Grave grave)
    {
        ref Replica replica = ref _table[grave.Slot];
        return replica.InUse && replica.State != ReplicaState.Live && replica.DiedAt == grave.DiedAt && replica.Time == grave.Time;
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

    private readonly record struct Grave(int Slot, long DiedAt, ulong Time);
}
