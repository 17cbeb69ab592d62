using System.Runtime.ExceptionServices;

namespace Couic.Store;

/// <summary>
/// Mutations of different entries of one policy, in two phases: <see cref="Plan"/> reserves each of them under the store's lock,
/// <see cref="Write"/> brings all of them to the data plane, and <see cref="Commit"/> publishes, under the lock again, what the data
/// plane took and rolls back what it refused. Entries change in no other way. Not thread-safe.
/// </summary>
internal sealed class ChangeBatch(RuleTables tables, IDataPlane plane, Action<PlaneRefusal> refused)
{
    /// <summary>Mutations in a batch, for which the data plane needs one call per table and kind.</summary>
    public const int Capacity = 64;

    private readonly EntryMutation[] _mutations = new EntryMutation[Capacity];
    private int _count;

    /// <summary>Called for each committed mutation, in their order.</summary>
    public IChangeListener[] Listeners { get; set; } = [];

    public Span<EntryMutation> Mutations => _mutations.AsSpan(0, _count);

    /// <summary>The requests from which it was planned: the first one, and how many, whether they have a mutation or not.</summary>
    public int FirstRequest { get; set; }

    /// <inheritdoc cref="FirstRequest"/>
    public int Requests { get; set; }

    /// <summary>Whether a further mutation may join: there is space, and it is of the same kind.</summary>
    public bool Accepts(MutationKind kind) => _count == 0 || (_count < Capacity && _mutations[0].Kind == kind);

    /// <summary>
    /// Reserves a mutation: a new entry takes its slot, and the entry is busy until the mutation is committed. Under the store's lock.
    /// Takes over the hold of <see cref="EntryMutation.After"/> on its names.
    /// </summary>
    public void Plan(RuleTable table, in EntryMutation mutation)
    {
        ref EntryMutation planned = ref _mutations[_count];
        planned = mutation;
        planned.Policy = table.Policy;
        if (planned.IsNew)
        {
            planned.Slot = RuleTables.Insert(table, planned.Cidr, planned.After);
        }

        try
        {
            planned.Counter = tables.CounterOf(planned.Kind == MutationKind.Put ? planned.After.Tag : table.Entries[planned.Slot].Tag);
            plane.Prepare(ref planned);
        }
        catch
        {
            Release(table, planned);
            throw;
        }

        // From here on nothing throws.
        _count++;
        table.Entries[planned.Slot].IsBusy = true;
        if (AddsForeignEntry(planned))
        {
            table.Replacement?.OnAdded();
        }
    }

    /// <summary>Writes all mutations. An exception rolls all of them back. Under the store's lock.</summary>
    public void Write()
    {
        try
        {
            if (_count > 0)
            {
                plane.Write(Mutations);
            }
        }
        catch (Exception e)
        {
            Refuse(e);
            Commit();
            throw;
        }
    }

    /// <summary>As <see cref="Write"/>, without the lock. An exception refuses all mutations; the reconciler repairs what it leaves.</summary>
    public void TryWrite()
    {
        try
        {
            plane.Write(Mutations);
        }
        catch (Exception e)
        {
            Refuse(e);
        }
    }

    /// <summary>Refuses all mutations, which a bug left in an unknown state.</summary>
    public void Refuse(Exception cause)
    {
        foreach (ref EntryMutation mutation in Mutations)
        {
            mutation.Refusal = new PlaneRefusal(0, cause.ToString());
        }
    }

    /// <summary>
    /// Publishes each mutation that the data plane took, rolls each other one back, and empties the batch. Under the store's lock.
    /// An exception of one mutation, such as a listener's, does not keep the others from their end.
    /// </summary>
    /// <param name="requests">All requests of the pipeline, to be answered; empty when there are none.</param>
    /// <returns>The entry of the last mutation: as it is now, or as it was when it was removed.</returns>
    public Entry Commit(Span<ChangeRequest> requests = default)
    {
        ExceptionDispatchInfo? failure = null;
        Entry entry = default;
        foreach (ref readonly EntryMutation mutation in Mutations)
        {
            RuleTable table = tables[mutation.Policy, mutation.Cidr.Family];
            table.Entries[mutation.Slot].IsBusy = false;
            try
            {
                Commit(table, mutation, out entry);
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }

            if (!requests.IsEmpty)
            {
                Answer(ref requests[mutation.Source], mutation, entry);
            }
        }

        _count = 0;
        Requests = 0;
        failure?.Throw();
        return entry;
    }

    /// <summary>Reports a change of claims, which needs no mutation. Under the store's lock.</summary>
    public void NotifyOfClaims(RuleTable table, int slot)
    {
        foreach (IChangeListener listener in Listeners)
        {
            listener.OnClaimsChange(table.Policy, table.Entries[slot].Cidr, slot);
        }
    }

    private static void Answer(ref ChangeRequest request, in EntryMutation mutation, in Entry entry)
    {
        request.Refusal = mutation.Refusal;
        if (mutation.Refusal is null)
        {
            request.Entry = entry;
        }
        else
        {
            request.Outcome = StoreOutcome.Refused;
        }
    }

    /// <summary>Whether it adds an entry that is not the running replacement's.</summary>
    private static bool AddsForeignEntry(in EntryMutation mutation) => (mutation.IsNew && mutation.Origin != ChangeOrigin.Set) || mutation.EndsSetEntry;

    private void Commit(RuleTable table, in EntryMutation mutation, out Entry entry)
    {
        entry = default;
        plane.Publish(mutation);
        if (mutation.Refusal is { } refusal)
        {
            refused(refusal);
            Release(table, mutation);
            if (AddsForeignEntry(mutation))
            {
                table.Replacement?.OnRemoved(mutation.Cidr);
            }

            return;
        }

        if (mutation.Kind == MutationKind.Remove)
        {
            entry = tables.Read(table, mutation.Slot);
            tables.Remove(table, mutation.Slot);
            if (mutation.Origin != ChangeOrigin.Set)
            {
                table.Replacement?.OnRemoved(mutation.Cidr);
            }
        }
        else
        {
            if (!mutation.IsNew)
            {
                Replace(table, mutation);
            }

            entry = tables.Read(table, mutation.Slot);
        }

        Notify(new RuleEvent(mutation.Event, mutation.Policy, entry, mutation.Origin, mutation.Metadata)
        {
            Actor = mutation.Actor ?? [],
            IsBulk = mutation.IsBulk,
        });
    }

    private void Replace(RuleTable table, in EntryMutation mutation)
    {
        Entry before = tables.Read(table, mutation.Slot);
        long deadline = table.Entries[mutation.Slot].Deadline;
        tables.Replace(table, mutation.Slot, mutation.After);
        if (mutation.Claims == ClaimEdit.Clear)
        {
            table.Claims.Clear(mutation.Slot);
        }
        else if (mutation.Claims != ClaimEdit.Keep)
        {
            table.Claims.Remove(mutation.Slot, tables.Tags(mutation.Policy)[mutation.After.Tag]);
        }

        if (mutation.Claims == ClaimEdit.Exchange)
        {
            table.Claims.Add(mutation.Slot, new Claim(before.Tag.ToArray(), before.Creator.ToArray(), before.Reason.ToArray(), before.Origin, before.Expiration, deadline), tables.Now);
        }

        if (mutation.EndsSetEntry)
        {
            Notify(new RuleEvent(RuleEventKind.Deleted, mutation.Policy, before, ChangeOrigin.Set, null));
        }
    }

    /// <summary>Gives back what <see cref="Plan"/> reserved.</summary>
    private void Release(RuleTable table, in EntryMutation mutation)
    {
        if (mutation.IsNew)
        {
            tables.Remove(table, mutation.Slot);
        }
        else if (mutation.Kind == MutationKind.Put)
        {
            tables.Release(table.Policy, mutation.After);
        }
    }

    private void Notify(in RuleEvent change)
    {
        foreach (IChangeListener listener in Listeners)
        {
            listener.OnChange(change);
        }
    }
}
