namespace Couic.Store;

/// <summary>
/// What the sets of one policy want: each network once, sorted, with the set that gives it its tag. Built outside the
/// store's lock, so that the lock is held for looking up and changing alone. Its memory follows the limit, however many
/// networks are offered. Not thread-safe while it is built.
/// </summary>
/// <param name="maxPerFamily">Distinct networks of each address family that it takes.</param>
public sealed class SetImage(Policy policy, int maxPerFamily = int.MaxValue)
{
    private readonly List<byte[]> _tags = [];
    private readonly List<int> _lines = [];
    private readonly SetNetworks _v4 = new(IpFamily.V4, maxPerFamily);
    private readonly SetNetworks _v6 = new(IpFamily.V6, maxPerFamily);
    private bool _sorted = true;

    public Policy Policy { get; } = policy;

    /// <summary>The networks of a family by address and length; the number of each is that of its set. Only when sorted.</summary>
    internal SetRuleList Rules(IpFamily family) => Networks(family).Rules;

    /// <summary>The sets by their tags, each with the number of its lines, those that other sets have too included.</summary>
    public IEnumerable<(string Tag, int Lines)> Sets => _tags.Select((tag, i) => (System.Text.Encoding.UTF8.GetString(tag), _lines[i]));

    /// <summary>The tag of a set by its number, UTF-8.</summary>
    internal byte[] Tag(int set) => _tags[set];

    /// <summary>The networks that follow belong to this set. Sets come in the order of their names: of a network in several, the first gives the tag.</summary>
    /// <param name="tag">The file's name with its extension, UTF-8.</param>
    public void BeginSet(ReadOnlySpan<byte> tag)
    {
        if (!TagRule.IsSetTag(tag))
        {
            throw new ArgumentException("a set's tag ends in .couic", nameof(tag));
        }

        _tags.Add(tag.ToArray());
        _lines.Add(0);
        _v4.BeginSet();
        _v6.BeginSet();
    }

    /// <summary>One line of the present set; host bits are cleared. False when its family is full: the set then has to be dropped.</summary>
    public bool Add(Cidr cidr)
    {
        _lines[^1]++;
        _sorted = false;
        return Networks(cidr.Family).TryAdd(cidr.Network, _tags.Count - 1);
    }

    /// <summary>Takes the present set out again, as if it had never begun.</summary>
    public void DropSet()
    {
        _tags.RemoveAt(_tags.Count - 1);
        _lines.RemoveAt(_lines.Count - 1);
        _v4.DropSet();
        _v6.DropSet();
    }

    /// <summary>Takes a network out. Only when sorted.</summary>
    public bool Remove(Cidr network) => Rules(network.Family).Remove(network);

    /// <summary>Whether exactly this network is there, and the tag of its set. Only when sorted.</summary>
    public bool TryFind(Cidr network, out string tag)
    {
        SetRuleList rules = Rules(network.Family);
        int index = rules.IndexOf(network);
        tag = index < 0 ? string.Empty : System.Text.Encoding.UTF8.GetString(_tags[rules[index].Number]);
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

    /// <summary>Sorts and takes duplicates out.</summary>
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
