namespace Couic.Store;

// Many changes find what they need in memory that lies far away. All of it is asked for first, so that it comes at the same time.
public sealed partial class RuleStore
{
    /// <summary>What was read by the way: who reads it for nothing would be optimised away.</summary>
    private int _prefetchSink;

    /// <summary>Brings near what these changes will need.</summary>
    private void Prefetch(ReadOnlySpan<ChangeRequest> changes)
    {
        if (changes.Length == 1)
        {
            return;
        }

        foreach (ref readonly ChangeRequest change in changes)
        {
            _plane.Prefetch(change.Policy, change.Cidr);
        }

        for (int round = 0; round < 2; round++)
        {
            foreach (ref readonly ChangeRequest change in changes)
            {
                _prefetchSink += TableOf(change.Policy, change.Cidr.Family).Entries.Prefetch(change.Cidr, isSecondRound: round > 0);
            }
        }
    }

    /// <summary>Brings near what the next steps of a swap will need.</summary>
    private void Prefetch(SetSwapPlan plan, int count)
    {
        SlotTable<EntrySlot> entries = plan.RuleTable.Entries;
        int end = Math.Min(plan.Done + count, plan.Steps.Count);
        for (int i = plan.Done; i < end; i++)
        {
            _prefetchSink += plan.Steps[i].Removes ? entries[plan.Steps[i].Slot].Length : 0;
        }

        for (int i = plan.Done; i < end; i++)
        {
            _plane.Prefetch(plan.RuleTable.Policy, plan.CidrOf(plan.Steps[i]));
        }

        for (int round = 0; round < 2; round++)
        {
            for (int i = plan.Done; i < end; i++)
            {
                _prefetchSink += entries.Prefetch(plan.CidrOf(plan.Steps[i]), isSecondRound: round > 0);
            }
        }
    }
}
