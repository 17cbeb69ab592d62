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
    /// <param name="peak">How many entries more than at the start there are at most on the way.</param>
    public static bool TryArrange(SetSwapPlan plan, List<SetSwapStep> removals, int free, out List<SetSwapStep> order, out int peak)
    {
        var sorted = new SetRuleList(plan.RuleTable.Family, plan.Steps.Count + removals.Count);
        order = new List<SetSwapStep>(plan.Steps.Count + removals.Count);
        foreach (SetSwapStep step in plan.Steps)
        {
            if (step.TakesOver)
            {
                order.Add(step);
            }
            else
            {
                sorted.Add(plan.CidrOf(step), step.Rule << 1);
            }
        }

        foreach (SetSwapStep step in removals)
        {
            sorted.Add(plan.CidrOf(step), (step.Slot << 1) | 1);
        }

        sorted.Sort();
        // Most changes overlap with no other: removals go at once, additions behind everything else.
        List<Group> groups = Split(sorted);
        int used = peak = 0;
        Append(order, sorted, groups, group => group.Adds == 0, ref used, ref peak);
        List<Group> mixed = groups.FindAll(group => group.Adds > 0 && group.Removes > 0);
        mixed.Sort();
        foreach (Group group in mixed)
        {
            Append(order, sorted, group, removes: false, ref used, ref peak);
            Append(order, sorted, group, removes: true, ref used, ref peak);
        }

        Append(order, sorted, groups, group => group.Removes == 0, ref used, ref peak);
        return peak <= free;
    }

    /// <summary>Networks nest or are apart; sorted by address and length, the first of a group contains all of it.</summary>
    private static List<Group> Split(SetRuleList sorted)
    {
        var groups = new List<Group>();
        for (int start = 0, end; start < sorted.Count; start = end)
        {
            int adds = 0;
            Cidr first = sorted[start].Cidr;
            for (end = start; end < sorted.Count && first.Contains(sorted[end].Cidr); end++)
            {
                adds += IsRemoval(sorted[end].Number) ? 0 : 1;
            }

            // What adds only, or removes only, needs no group of its own.
            if (groups.Count > 0 && groups[^1] is var last && ((last.Adds == 0 && adds == 0) || (last.Removes == 0 && adds == end - start)))
            {
                groups[^1] = new Group(last.Start, end, last.Adds + adds);
            }
            else
            {
                groups.Add(new Group(start, end, adds));
            }
        }

        return groups;
    }

    private static bool IsRemoval(int number) => (number & 1) != 0;

    private static void Append(
        List<SetSwapStep> order, SetRuleList sorted, List<Group> groups, Predicate<Group> which, ref int used, ref int peak)
    {
        foreach (Group group in groups)
        {
            if (which(group))
            {
                Append(order, sorted, group, removes: group.Adds == 0, ref used, ref peak);
            }
        }
    }

    private static void Append(List<SetSwapStep> order, SetRuleList sorted, Group group, bool removes, ref int used, ref int peak)
    {
        for (int i = group.Start; i < group.End; i++)
        {
            int number = sorted[i].Number;
            if (IsRemoval(number) == removes)
            {
                order.Add(removes ? SetSwapStep.Remove(number >> 1) : SetSwapStep.Want(number >> 1, takesOver: false));
                used += removes ? -1 : 1;
                peak = Math.Max(peak, used);
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
