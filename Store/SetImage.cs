using System.Runtime.InteropServices;

namespace Couic.Store;

/// <summary>
/// The networks of all sets of one policy: each once, sorted, with the set that gives it its tag. It is built without the store's lock.
/// Its memory is bounded by the limit, however many networks are offered. Not thread-safe while it is built.
/// </summary>
/// <param name="maxPerFamily">Distinct networks of each address family that it takes.</param>
public sealed class SetImage(Policy policy, int maxPerFamily = int.MaxValue)
{
    /// <summary>Lines with the same reason form a section; beyond this limit, networks have no reason.</summary>
    public const int MaxSections = 65_536;

    private readonly List<byte[]> _tags = [];
    private readonly List<int> _lines = [];

    /// <summary>By number of a network: its set and its reason.</summary>
    private readonly List<(int Set, byte[] Reason)> _sections = [];
    private int _setStart;
    private byte[] _reason = [];
    private readonly SetNetworks _v4 = new(IpFamily.V4, maxPerFamily);
    private readonly SetNetworks _v6 = new(IpFamily.V6, maxPerFamily);
    private bool _sorted = true;

    public Policy Policy { get; } = policy;

    /// <summary>The networks of a family by address and length, with numbers for <see cref="Tag"/> and <see cref="Reason"/>. Only when sorted.</summary>
    internal SetRuleList Rules(IpFamily family) => Networks(family).Rules;

    /// <summary>The tags of the sets, each with the number of its lines, including networks that other sets have too.</summary>
    public IEnumerable<(string Tag, int Lines)> Sets => _tags.Select((tag, i) => (System.Text.Encoding.UTF8.GetString(tag), _lines[i]));

    /// <summary>The tag of a network by its number, UTF-8.</summary>
    internal byte[] Tag(int number) => _tags[_sections[number].Set];

    /// <summary>The reason of a network by its number, UTF-8; empty for none.</summary>
    internal byte[] Reason(int number) => _sections[number].Reason;

    /// <summary>Begins a set, to which the networks that follow belong. Sets come in the order of their names: the first one with a network gives the tag.</summary>
    /// <param name="tag">The file's name with its extension, UTF-8.</param>
    public void BeginSet(ReadOnlySpan<byte> tag)
    {
        if (!TagRule.IsSetTag(tag))
        {
            throw new ArgumentException("a set's tag ends in .couic", nameof(tag));
        }

        _tags.Add(tag.ToArray());
        _lines.Add(0);
        _setStart = _sections.Count;
        _reason = [];
        _v4.BeginSet(_setStart);
        _v6.BeginSet(_setStart);
    }

    /// <summary>Begins lines of the current set that exist for this reason; empty for none.</summary>
    public void BeginReason(ReadOnlySpan<byte> reason) => _reason = reason.SequenceEqual(_reason) ? _reason : reason.ToArray();

    /// <summary>Adds a line of the current set; host bits are cleared. False when its family is full: the set then has to be dropped.</summary>
    public bool Add(Cidr cidr)
    {
        _lines[^1]++;
        _sorted = false;
        return Networks(cidr.Family).TryAdd(cidr.Network, Section());
    }

    /// <summary>The number of the present section; sections without networks are not kept.</summary>
    private int Section()
    {
        byte[] reason = _sections.Count < MaxSections ? _reason : [];
        if (_sections.Count == _setStart || !_sections[^1].Reason.AsSpan().SequenceEqual(reason))
        {
            _sections.Add((_tags.Count - 1, reason));
        }

        return _sections.Count - 1;
    }

    /// <summary>Removes the current set, as if it had never begun.</summary>
    public void DropSet()
    {
        _tags.RemoveAt(_tags.Count - 1);
        _lines.RemoveAt(_lines.Count - 1);
        _sections.RemoveRange(_setStart, _sections.Count - _setStart);
        _v4.DropSet();
        _v6.DropSet();
    }

    /// <summary>Removes a network. Only when sorted.</summary>
    public bool Remove(Cidr network) => Rules(network.Family).Remove(network);

    /// <summary>Finds exactly this network, and the tag of its set. Only when sorted.</summary>
    public bool TryFind(Cidr network, out string tag)
    {
        SetRuleList rules = Rules(network.Family);
        int index = rules.IndexOf(network);
        tag = index < 0 ? string.Empty : System.Text.Encoding.UTF8.GetString(Tag(rules[index].Number));
        return index >= 0;
    }

    /// <summary>Whether a network covers an address. Only when sorted.</summary>
    public bool Covers(Cidr host) => TryFindCovering(host, out _, out _);

    /// <summary>The longest network that covers an address. Only when sorted.</summary>
    public bool TryFindCovering(Cidr host, out Cidr network, out string tag)
    {
        (network, tag) = (default, string.Empty);
        for (int length = Rules(host.Family).Count == 0 ? -1 : host.Length; length >= 0; length--)
        {
            network = host.WithLength(length);
            if (TryFind(network, out tag))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Sorts and removes duplicates.</summary>
    public void Sort()
    {
        if (_sorted)
        {
            return;
        }

        foreach (SetNetworks networks in (ReadOnlySpan<SetNetworks>)[_v4, _v6])
        {
            networks.Rules.Sort();
            networks.Rules.RemoveDuplicates();
        }

        _sorted = true;
    }

    private SetNetworks Networks(IpFamily family) => family == IpFamily.V4 ? _v4 : _v6;
}

/// <summary>
/// The networks of one address family in a <see cref="SetImage"/>. Up to the limit lines are appended, duplicates included; after that each
/// is looked up first, so that duplicates take no memory. Not thread-safe.
/// </summary>
internal sealed class SetNetworks(IpFamily family, int max)
{
    private HashSet<Cidr>? _distinct;
    private int _setStart;
    private int _firstNumber;

    public SetRuleList Rules { get; } = new(family);

    /// <param name="number">No network of an earlier set has this number or a greater one.</param>
    public void BeginSet(int number) => (_setStart, _firstNumber) = (Rules.Count, number);

    /// <summary>False when the limit is reached.</summary>
    public bool TryAdd(Cidr network, int number)
    {
        if (_distinct is null && Rules.Count >= max)
        {
            RemoveDuplicates();
        }

        if (_distinct is not null)
        {
            if (_distinct.Contains(network))
            {
                return true;
            }

            if (Rules.Count >= max)
            {
                return false;
            }

            _distinct.Add(network);
        }

        Rules.Add(network, number);
        return true;
    }

    /// <summary>Removes what was added since the current set began.</summary>
    public void DropSet()
    {
        for (int i = _setStart; i < Rules.Count && _distinct is not null; i++)
        {
            _distinct.Remove(Rules[i].Cidr);
        }

        Rules.Truncate(_setStart);
    }

    private void RemoveDuplicates()
    {
        Rules.Sort();
        Rules.RemoveDuplicates();
        _setStart = Rules.MoveToEnd(_firstNumber);
        _distinct = new HashSet<Cidr>(max);
        for (int i = 0; i < Rules.Count; i++)
        {
            _distinct.Add(Rules[i].Cidr);
        }
    }
}

/// <summary>A network and a number that belongs to it, such as that of its section.</summary>
internal readonly record struct SetRule(Cidr Cidr, int Number);

/// <summary>
/// Hundreds of thousands of networks of one family, each with a number, to be sorted in place: 8 bytes per IPv4 network, 24 per IPv6
/// network. Not thread-safe.
/// </summary>
/// <param name="capacity">Expected networks; it grows if there are more.</param>
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

    /// <summary>Index of a network, negative when it is absent. Only when sorted and without duplicates.</summary>
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

    /// <summary>Removes a network; false when it is absent. Only when sorted and without duplicates.</summary>
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

    /// <summary>Moves the networks with this number or a greater one after all others. Returns where they begin.</summary>
    public int MoveToEnd(int number)
    {
        int v4 = MoveToEnd(CollectionsMarshal.AsSpan(_v4), word => (int)word & MaxNumber, number);
        return v4 + MoveToEnd(CollectionsMarshal.AsSpan(_v6), rule => rule.Number, number);
    }

    /// <summary>Keeps the first <paramref name="count"/> networks.</summary>
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
            if (numberOf(rules[i]) < number)
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
