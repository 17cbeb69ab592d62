namespace Couic.Store;

// Many changes find what they need in memory that lies far away. All of it is asked for first, so that it comes at the same time.
public sealed partial class RuleStore
{
    /// <summary>What was read by the way: who reads it for nothing would be optimised away.</summary>
    private int _touched;

    /// <summary>Brings near what these changes will need.</summary>
    private void Fetch(ReadOnlySpan<SingleChange> changes)
    {
        if (changes.Length == 1)
        {
            return;
        }

        foreach (ref readonly SingleChange change in changes)
        {
            _plane.Fetch(change.Policy, change.Cidr);
        }

        for (int round = 0; round < 2; round++)
        {
            foreach (ref readonly SingleChange change in changes)
            {
                _touched += CategoryOf(change.Policy, change.Cidr.Family).Entries.Touch(change.Cidr, isSecondRound: round > 0);
            }
        }
    }

    /// <summary>Brings near what the next steps of a swap will need.</summary>
    private void Fetch(SetSwapPlan plan, int count)
    {
        EntryTable entries = plan.Category.Entries;
        int end = Math.Min(plan.Done + count, plan.Steps.Count);
        for (int i = plan.Done; i < end; i++)
        {
            _touched += plan.Steps[i].Removes ? entries[plan.Steps[i].Slot].Length : 0;
        }

        for (int i = plan.Done; i < end; i++)
        {
            _plane.Fetch(plan.Category.Policy, plan.CidrOf(plan.Steps[i]));
        }

        for (int round = 0; round < 2; round++)
        {
            for (int i = plan.Done; i < end; i++)
            {
                _touched += entries.Touch(plan.CidrOf(plan.Steps[i]), isSecondRound: round > 0);
            }
        }
    }
}
