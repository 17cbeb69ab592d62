namespace Couic.Store;

/// <summary>
/// What the sets of one policy want: each network once, sorted, with the set that gives it its tag. Built outside the
/// store's lock, so that the lock is held for looking up and changing alone. Not thread-safe while it is built.
/// </summary>
public sealed class SetImage(Policy policy)
{
    private readonly List<byte[]> _tags = [];
    private readonly SetRuleList _v4 = new(IpFamily.V4);
    private readonly SetRuleList _v6 = new(IpFamily.V6);
    private bool _sorted = true;

    public Policy Policy { get; } = policy;

    /// <summary>The networks of a family by address and length; the number of each is that of its set. Only when sorted.</summary>
    internal SetRuleList Rules(IpFamily family) => family == IpFamily.V4 ? _v4 : _v6;

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
    }

    /// <summary>One line of the present set; host bits are cleared.</summary>
    public void Add(Cidr cidr)
    {
        Rules(cidr.Family).Add(cidr.Network, _tags.Count - 1);
        _sorted = false;
    }

    /// <summary>Sorts and takes duplicates out.</summary>
    internal void Sort()
    {
        if (_sorted)
        {
            return;
        }

        foreach (SetRuleList rules in (ReadOnlySpan<SetRuleList>)[_v4, _v6])
        {
            rules.Sort();
            rules.RemoveDuplicates();
        }

        _sorted = true;
    }
}
