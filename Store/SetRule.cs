using System.Runtime.InteropServices;

namespace Couic.Store;

/// <summary>A network and a number that goes with it: that of its set, or whatever else goes through a sort.</summary>
internal readonly record struct SetRule(Cidr Cidr, int Number);

/// <summary>
/// Hundreds of thousands of networks of one family, each with a number, to be sorted in place: 8 bytes for one of IPv4, 24
/// for one of IPv6. Not thread-safe.
/// </summary>
/// <param name="capacity">How many it is made for; it grows when there are more.</param>
internal sealed class SetRuleList(IpFamily family, int capacity = 0)
{
    /// <summary>Numbers share a word with an IPv4 network: 32 bits of address, 6 of length, 26 of number.</summary>
    public const int MaxNumber = (1 << NumberBits) - 1;

    private const int NumberBits = 26;

    private readonly List<ulong> _v4 = new(family == IpFamily.V4 ? capacity : 0);
    private readonly List<Long> _v6 = new(family == IpFamily.V6 ? capacity : 0);

    public int Count => family == IpFamily.V4 ? _v4.Count : _v6.Count;

    public SetRule this[int index]
    {
        get
        {
            if (family == IpFamily.V6)
            {
                Long rule = _v6[index];
                return new SetRule(new Cidr(IpFamily.V6, rule.High, rule.Low, rule.Length), rule.Number);
            }

            ulong word = _v4[index];
            return new SetRule(Cidr.FromV4((uint)(word >> 32), (int)(word >> NumberBits) & 63), (int)word & MaxNumber);
        }
    }

    /// <param name="network">Of this list's family, host bits cleared.</param>
    public void Add(Cidr network, int number)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(number, MaxNumber);
        if (family == IpFamily.V4)
        {
            _v4.Add(((ulong)network.V4 << 32) | ((ulong)network.Length << NumberBits) | (uint)number);
        }
        else
        {
            _v6.Add(new Long(network.High, network.Low, network.Length, number));
        }
    }

    /// <summary>Sorts by address, length and number.</summary>
    public void Sort()
    {
        CollectionsMarshal.AsSpan(_v4).Sort();
        CollectionsMarshal.AsSpan(_v6).Sort();
    }

    /// <summary>Whether a network is among them. Only when sorted and without duplicates.</summary>
    public bool Contains(Cidr network) => IndexOf(network) >= 0;

    /// <summary>Where a network is, negative when it is not among them. Only when sorted and without duplicates.</summary>
    public int IndexOf(Cidr network)
    {
        int low = 0, high = Count - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            int order = this[middle].Cidr.CompareTo(network);
            if (order == 0)
            {
                return middle;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return -1;
    }

    /// <summary>Takes a network out; false when it is not there. Only when sorted and without duplicates.</summary>
    public bool Remove(Cidr network)
    {
        int index = IndexOf(network);
        if (index >= 0 && family == IpFamily.V4)
        {
            _v4.RemoveAt(index);
        }
        else if (index >= 0)
        {
            _v6.RemoveAt(index);
        }

        return index >= 0;
    }

    /// <summary>Keeps the first of equal networks. Only when sorted.</summary>
    public void RemoveDuplicates()
    {
        CollectionsMarshal.SetCount(_v4, Distinct(CollectionsMarshal.AsSpan(_v4), static (a, b) => a >> NumberBits == b >> NumberBits));
        CollectionsMarshal.SetCount(
            _v6, Distinct(CollectionsMarshal.AsSpan(_v6), static (a, b) => a.High == b.High && a.Low == b.Low && a.Length == b.Length));
    }

    /// <summary>Moves the networks with this number behind all others. Returns where they begin.</summary>
    public int MoveToEnd(int number)
    {
        int v4 = MoveToEnd(CollectionsMarshal.AsSpan(_v4), word => (int)word & MaxNumber, number);
        return v4 + MoveToEnd(CollectionsMarshal.AsSpan(_v6), rule => rule.Number, number);
    }

    /// <summary>Keeps the first so many.</summary>
    public void Truncate(int count)
    {
        if (family == IpFamily.V4)
        {
            CollectionsMarshal.SetCount(_v4, count);
        }
        else
        {
            CollectionsMarshal.SetCount(_v6, count);
        }
    }

    private static int MoveToEnd<T>(Span<T> rules, Func<T, int> numberOf, int number)
    {
        int others = 0;
        for (int i = 0; i < rules.Length; i++)
        {
            if (numberOf(rules[i]) != number)
            {
                (rules[others], rules[i]) = (rules[i], rules[others]);
                others++;
            }
        }

        return others;
    }

    private static int Distinct<T>(Span<T> rules, Func<T, T, bool> same)
    {
        int n = 0;
        foreach (T rule in rules)
        {
            if (n == 0 || !same(rules[n - 1], rule))
            {
                rules[n++] = rule;
            }
        }

        return n;
    }

    private readonly record struct Long(ulong High, ulong Low, byte Length, int Number) : IComparable<Long>
    {
        public int CompareTo(Long other) =>
            High != other.High ? (High < other.High ? -1 : 1)
            : Low != other.Low ? (Low < other.Low ? -1 : 1)
            : Length != other.Length ? Length - other.Length
            : Number.CompareTo(other.Number);
    }
}
