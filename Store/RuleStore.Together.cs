using System.Runtime.ExceptionServices;

namespace Couic.Store;

// Single changes that are made together. Each is decided and reserved under the lock, the kernel has its share of all of them
// in few calls without the lock, and under the lock again they are held and told to the feeds. A reserved entry is changed by
// nobody else meanwhile: who wants to change anything waits for that, some microseconds a change, who only reads does not.
public sealed partial class RuleStore
{
    /// <summary>Changes that are made in one go.</summary>
    public const int MaxTogether = 64;

    private readonly Lock _together = new();

    /// <summary>Callers of <see cref="Apply"/> that wait for their turn or have it.</summary>
    private int _applying;
    private readonly StealableTask _writing;
    private Stretch _present = new();
    private Stretch _next = new();

    /// <summary>Changes that are planned and not finished.</summary>
    private int _inFlight;

    /// <summary>
    /// Makes changes in their order, each on its own: one that is refused leaves store and kernel as they were. Those that are made
    /// are in force when this returns. Not to be called by who holds the store (<see cref="Hold"/>).
    /// </summary>
    public void Apply(Span<ChangeRequest> changes)
    {
        Interlocked.Increment(ref _applying);
        try
        {
            ApplyInTurn(changes);
        }
        finally
        {
            Interlocked.Decrement(ref _applying);
        }
    }

    /// <summary>As <see cref="Apply"/>, for one of many pieces: who came before the piece has its turn first.</summary>
    public void ApplyChunk(Span<ChangeRequest> changes)
    {
        GiveWay(ref _applying);
        Apply(changes);
    }

    private void ApplyInTurn(Span<ChangeRequest> changes)
    {
        lock (_together)
        {
            try
            {
                ApplyInStretches(changes);
            }
            catch (Exception e)
            {
                EndStretches(changes, e);
                throw;
            }
        }
    }

    private void ApplyInStretches(Span<ChangeRequest> changes)
    {
        // While the kernel has its share of one stretch, the next is decided and the one before it finished.
        for (int done = 0; done < changes.Length || _present.Count > 0;)
        {
            done = Plan(changes, done, _next);
            if (done == changes.Length && _present.Count == 0)
            {
                Write(_next.Planned); // all of them: there is nothing to do meanwhile
                Finish(changes, _next);
                return;
            }

            _writing.RunOrWait();
            (_present, _next) = (_next, _present);
            if (!_present.Planned.IsEmpty)
            {
                _writing.Queue();
            }

            Finish(changes, _next);
        }
    }

    /// <summary>
    /// After an exception: what the kernel was given is finished, what was only decided is taken back. An entry that stayed busy would keep
    /// every later change waiting for ever.
    /// </summary>
    private void EndStretches(Span<ChangeRequest> changes, Exception cause)
    {
        _writing.RunOrWait();
        Finish(changes, _present);
        foreach (ref PlannedChange change in _next.Planned)
        {
            change.Refusal = new PlaneRefusal(0, cause.Message);
        }

        Finish(changes, _next);
    }

    /// <summary>Decides the changes from one on, up to one that has to wait for others. Returns which one that is.</summary>
    private int Plan(Span<ChangeRequest> changes, int first, Stretch stretch)
    {
        int end = Math.Min(changes.Length, first + MaxTogether);
        stretch.Begin(first);
        if (first == end)
        {
            return end;
        }

        using (_inFlight == 0 ? EnterAlone() : Enter())
        {
            Prefetch(changes[first..end]);
            while (first + stretch.Count < end && TryPlan(ref changes[first + stretch.Count], stretch))
            {
                stretch.Count++;
            }
        }

        return first + stretch.Count;
    }

    /// <summary>After a bug, what was written is unknown: nothing of it counts, and the next comparison with the kernel mends that.</summary>
    private void Write(Span<PlannedChange> planned)
    {
        try
        {
            if (!planned.IsEmpty)
            {
                _plane.Write(planned);
            }
        }
        catch (Exception e)
        {
            foreach (ref PlannedChange change in planned)
            {
                change.Refusal = new PlaneRefusal(0, e.ToString());
            }
        }
    }

    /// <summary>Keeps everybody else out, when no change is on its way to the kernel.</summary>
    private Lock.Scope EnterAlone()
    {
        var spin = new SpinWait();
        while (true)
        {
            Lock.Scope scope = Enter();
            if (_inFlight == 0)
            {
                return scope;
            }

            scope.Dispose();
            spin.SpinOnce(sleep1Threshold: -1);
        }
    }

    /// <summary>Decides a change. False when those before it have to be made first.</summary>
    private bool TryPlan(ref ChangeRequest change, Stretch stretch)
    {
        RuleTable table = TableOf(change.Policy, change.Cidr.Family);
        int slot = table.Entries.Find(change.Cidr);
        if (slot >= 0 && table.Entries[slot].IsBusy)
        {
            return false;
        }

        change.IsPlanned = false;
        if (table.Swap is { } swap && (swap.Brings(change.Cidr) || swap.TakesAway(slot)))
        {
            if (_inFlight > 0)
            {
                return false;
            }

            ChangeAlone(table, ref change);
        }
        else if (change.IsRemoval && IsPlainRemoval(table, slot, change))
        {
            PlanRemoval(table, slot, ref change, stretch);
        }
        else if (!change.IsRemoval && slot < 0 && !table.IsFull)
        {
            PlanAddition(table, ref change, stretch);
        }
        else if (!change.IsRemoval && slot >= 0 && change.Mode == ConflictMode.Refuse && !IsOver(ref table.Entries[slot]))
        {
            change.Entry = Read(table, slot);
            change.Outcome = StoreOutcome.Conflict;
        }
        else if (_inFlight > 0)
        {
            return false;
        }
        else
        {
            ChangeAlone(table, ref change);
        }

        return true;
    }

    /// <summary>The rare ways, which may take several steps and touch other entries.</summary>
    private void ChangeAlone(RuleTable table, ref ChangeRequest change)
    {
        change.Outcome = change.IsUnderTag ? RemoveUnderAlone(table, change.Cidr, change.Tag, ContextOf(change), out change.Entry)
            : change.IsRemoval ? RemoveAlone(table, change.Cidr, ChangeOrigin.Api, change.Metadata, out change.Entry)
            : AddAlone(table, change.Cidr, change.Tag, change.Expiration, change.Mode, ContextOf(change), out change.Entry);
        change.Refusal = change.Outcome == StoreOutcome.Refused ? LastRefusal : null;
    }

    /// <summary>Whether the entry simply goes: nobody has to be asked whose it is, or it is this tag's alone.</summary>
    private bool IsPlainRemoval(RuleTable table, int slot, in ChangeRequest change) =>
        !change.IsUnderTag || slot < 0
        || (!table.Claims.Has(slot) && _tags[(int)table.Policy][table.Entries[slot].Tag].AsSpan().SequenceEqual(change.Tag));

    private void PlanAddition(RuleTable table, ref ChangeRequest change, Stretch stretch)
    {
        int tagId = _tags[(int)table.Policy].Acquire(change.Tag);
        int slot = Insert(table, change.Cidr, tagId, change.Expiration, ContextOf(change));
        table.Swap?.OnAdded();
        change.Outcome = StoreOutcome.Created;
        try
        {
            change.Entry = Read(table, slot);
            Plan(table, slot, RuleChangeKind.Set, ref change, stretch);
        }
        catch
        {
            Forget(table, slot);
            table.Swap?.OnRemoved(change.Cidr);
            throw;
        }
    }

    private void PlanRemoval(RuleTable table, int slot, ref ChangeRequest change, Stretch stretch)
    {
        if (slot < 0 || IsOver(ref table.Entries[slot]))
        {
            change.Outcome = StoreOutcome.Absent;
            return;
        }

        change.Entry = Read(table, slot);
        change.Outcome = change.Entry.IsOfSet ? StoreOutcome.OwnedBySet : StoreOutcome.Removed;
        if (change.Outcome == StoreOutcome.Removed)
        {
            Plan(table, slot, RuleChangeKind.Remove, ref change, stretch);
        }
    }

    private void Plan(RuleTable table, int slot, RuleChangeKind kind, ref ChangeRequest change, Stretch stretch)
    {
        ref EntrySlot held = ref table.Entries[slot];
        ref PlannedChange plan = ref stretch.Next;
        plan = new PlannedChange { Change = new RuleChange(kind, change.Policy, change.Cidr, CounterOf(held.Tag), slot) };
        _plane.Plan(ref plan);

        // From here on nothing throws.
        stretch.Keep();
        held.IsBusy = true;
        change.Slot = slot;
        change.IsPlanned = true;
        _inFlight++;
    }

    /// <summary>What the data plane has taken is held and told, what it refused is as it was.</summary>
    private void Finish(Span<ChangeRequest> changes, Stretch stretch)
    {
        if (stretch.Planned.IsEmpty)
        {
            stretch.Clear();
            return;
        }

        ExceptionDispatchInfo? failure = null;
        using (Enter())
        {
            _inFlight -= stretch.Planned.Length;
            int next = 0;
            foreach (ref ChangeRequest change in changes.Slice(stretch.First, stretch.Count))
            {
                if (change.IsPlanned)
                {
                    TableOf(change.Policy, change.Cidr.Family).Entries[change.Slot].IsBusy = false;
                    failure = TryFinish(ref change, stretch.Planned[next++]) ?? failure;
                }
            }
        }

        stretch.Clear();
        failure?.Throw();
    }

    /// <summary>An exception of one change, such as a feed's, does not keep the others from being finished.</summary>
    private ExceptionDispatchInfo? TryFinish(ref ChangeRequest change, in PlannedChange plan)
    {
        try
        {
            Finish(ref change, plan);
            return null;
        }
        catch (Exception e)
        {
            return ExceptionDispatchInfo.Capture(e);
        }
    }

    private void Finish(ref ChangeRequest change, in PlannedChange plan)
    {
        RuleTable table = TableOf(change.Policy, change.Cidr.Family);
        _plane.Finish(plan);
        bool isTaken = plan.Refusal is null;
        if (isTaken == change.IsRemoval)
        {
            Forget(table, change.Slot);
            table.Swap?.OnRemoved(change.Cidr);
        }

        if (isTaken)
        {
            RuleEventKind kind = change.IsRemoval ? RuleEventKind.Deleted : RuleEventKind.Created;
            Publish(new RuleEvent(kind, change.Policy, change.Entry, ChangeOrigin.Api, change.Metadata));
        }
        else
        {
            change.Outcome = StoreOutcome.Refused;
            change.Refusal = LastRefusal = plan.Refusal;
        }
    }

    private static ChangeContext ContextOf(in ChangeRequest change) => new(ChangeOrigin.Api, change.Creator, change.Metadata);
}
