using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>
/// Decides what would become of the changes of a bulk request, and makes none. Its memory is bounded by the tables: what does not fit
/// is not remembered. Not thread-safe.
/// </summary>
internal sealed class BulkDryRun(RuleStore store)
{
    private readonly HashSet<Cidr> _added = [];
    private readonly HashSet<Cidr> _removed = [];
    private readonly int[] _counts = new int[2];

    public void Decide(Span<ChangeRequest> changes)
    {
        foreach (ref ChangeRequest change in changes)
        {
            bool isThere = store.TryGet(change.Policy, change.Cidr, out Entry entry);
            change.Outcome = change.IsRemoval ? OfRemoval(change, isThere, entry) : OfAddition(change, isThere, entry);
        }
    }

    private StoreOutcome OfRemoval(in ChangeRequest change, bool isThere, Entry entry) =>
        !isThere ? StoreOutcome.Absent
        : entry.IsOfSet ? StoreOutcome.OwnedBySet
        : _removed.Add(change.Cidr) ? StoreOutcome.Removed
        : StoreOutcome.Absent;

    private StoreOutcome OfAddition(in ChangeRequest change, bool isThere, Entry entry)
    {
        if (isThere || _added.Contains(change.Cidr))
        {
            bool differs = isThere && (entry.Expiration != change.Expiration || !entry.Tag.Span.SequenceEqual(change.Tag));
            return change.Mode == ConflictMode.Refuse ? StoreOutcome.Conflict
                : isThere && entry.IsOfSet ? StoreOutcome.OwnedBySet
                : differs ? StoreOutcome.Updated
                : StoreOutcome.Unchanged;
        }

        IpFamily family = change.Cidr.Family;
        if (store.Count(change.Policy, family) + _counts[(int)family] >= store.Limits.Entries(change.Policy))
        {
            return StoreOutcome.Full;
        }

        _added.Add(change.Cidr);
        _counts[(int)family]++;
        return StoreOutcome.Created;
    }
}
