using System.Runtime.InteropServices;

namespace Couic.Store;

/// <param name="Set">Number of the set that it belongs to, or whatever else goes with a network through a sort.</param>
internal readonly record struct SetRule(Cidr Cidr, int Set) : IComparable<SetRule>
{
    public int CompareTo(SetRule other)
    {
        int order = Cidr.CompareTo(other.Cidr);
        return order != 0 ? order : Set.CompareTo(other.Set);
    }
}

/// <summary>Sorts hundreds of thousands of networks.</summary>
internal static class SetRuleSort
{
    /// <summary>Sorts by the top half of the address as plain numbers, which is several times faster, and then what shares it.</summary>
    public static void Sort(List<SetRule> list)
    {
        SetRule[] rules = [.. list];
        var keys = new ulong[rules.Length];
        var places = new int[rules.Length];
        int split = 0;
        foreach (SetRule rule in rules)
        {
            split += rule.Cidr.Family == IpFamily.V4 ? 1 : 0;
        }

        int v4 = 0, v6 = split; // IPv6 stands behind all of IPv4
        for (int i = 0; i < rules.Length; i++)
        {
            int at = rules[i].Cidr.Family == IpFamily.V4 ? v4++ : v6++;
            keys[at] = rules[i].Cidr.High;
            places[at] = i;
        }

        Array.Sort(keys, places, 0, split);
        Array.Sort(keys, places, split, rules.Length - split);
        Span<SetRule> sorted = CollectionsMarshal.AsSpan(list);
        for (int i = 0, start = 0; i < rules.Length; i++)
        {
            sorted[i] = rules[places[i]];
            if (i + 1 == rules.Length || i + 1 == split || keys[i + 1] != keys[i])
            {
                sorted[start..(i + 1)].Sort();
                start = i + 1;
            }
        }
    }
}
