namespace Couic.Store;

/// <summary>
/// The order of a swap for which the table has no room to hold old and new at once. Additions and removals whose networks
/// overlap form a group; within a group additions come first, so that nothing is uncovered, and groups that do not overlap
/// need not wait for each other. First go those that free room, the least demanding first; then those that need room, the
/// one that frees most first: if any order of whole groups fits, this one does.
/// </summary>
internal static class SetSwapOrder
{
    /// <summary>Arranges the plan's steps and the removals; false when no order fits.</summary>
    /// <param name="free">Entries for which there is room at the start.</param>
    public static bool TryArrange(SetSwapPlan plan, List<SetSwapStep> removals, int free)
    {
        SetSwapStep[] changes = [.. plan.Steps.Where(step => step.Kind == SetSwapKind.Add), .. removals];
        List<SetSwapStep> order = plan.Steps.FindAll(step => step.Kind == SetSwapKind.TakeOver);
        int takeOvers = order.Count;
        order.EnsureCapacity(order.Count + changes.Length);
        var sorted = new SetRuleList(plan.Category.Family, changes.Length);
        for (int i = 0; i < changes.Length; i++)
        {
            sorted.Add(plan.CidrOf(changes[i]), i);
        }

        sorted.Sort();
        // Most changes overlap with no other: removals go at once, additions behind everything else.
        var late = new List<SetSwapStep>();
        List<Group> groups = Split(sorted, changes, order, late);
        free += order.Count - takeOvers;
        groups.Sort();
        foreach (Group group in groups)
        {
            if (group.Adds > free)
            {
                return false;
            }

            Append(order, sorted, changes, group, SetSwapKind.Add);
            Append(order, sorted, changes, group, SetSwapKind.Remove);
            free += group.Gain;
        }

        order.AddRange(late);
        plan.Steps = order;
        return late.Count <= free;
    }

    /// <summary>Networks nest or are apart; sorted by address and length, the first of a group contains all of it.</summary>
    /// <param name="early">Gets the changes of groups without additions.</param>
    /// <param name="late">Gets those of groups without removals.</param>
    /// <returns>The other groups.</returns>
    private static List<Group> Split(SetRuleList sorted, SetSwapStep[] changes, List<SetSwapStep> early, List<SetSwapStep> late)
    {
        var groups = new List<Group>();
        for (int start = 0, end; start < sorted.Count; start = end)
        {
            int adds = 0;
            Cidr first = sorted[start].Cidr;
            for (end = start; end < sorted.Count && first.Contains(sorted[end].Cidr); end++)
            {
                adds += changes[sorted[end].Number].Kind == SetSwapKind.Add ? 1 : 0;
            }

            var group = new Group(start, end, adds);
            if (group.Adds > 0 && group.Removes > 0)
            {
                groups.Add(group);
            }
            else
            {
                Append(adds == 0 ? early : late, sorted, changes, group, adds == 0 ? SetSwapKind.Remove : SetSwapKind.Add);
            }
        }

        return groups;
    }

    private static void Append(List<SetSwapStep> order, SetRuleList sorted, SetSwapStep[] changes, Group group, SetSwapKind kind)
    {
        for (int i = group.Start; i < group.End; i++)
        {
            SetSwapStep change = changes[sorted[i].Number];
            if (change.Kind == kind)
            {
                order.Add(change);
            }
        }
    }

    private readonly record struct Group(int Start, int End, int Adds) : IComparable<Group>
    {
        public int Removes => End - Start - Adds;

        public int Gain => Removes - Adds;

        public int CompareTo(Group other)
        {
            int order = (Gain < 0).CompareTo(other.Gain < 0);
            order = order != 0 ? order : Gain >= 0 ? Adds.CompareTo(other.Adds) : other.Removes.CompareTo(Removes);
            return order != 0 ? order : Start.CompareTo(other.Start);
        }
    }
}
