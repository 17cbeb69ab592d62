using System.Runtime.InteropServices;

namespace Couic.Store;

/// <summary>
/// What the sets of one policy want: each network once, sorted, with the set that gives it its tag. Built outside the
/// store's lock, so that the lock is held for looking up and changing alone. Not thread-safe while it is built.
/// </summary>
public sealed class SetImage(Policy policy)
{
    private readonly List<byte[]> _tags = [];
    private readonly List<SetRule> _rules = [];
    private bool _sorted = true;

    public Policy Policy { get; } = policy;

    /// <summary>Sets that were begun.</summary>
    public int SetCount => _tags.Count;

    /// <summary>The networks, each once, IPv4 first, by address, then length.</summary>
    internal ReadOnlySpan<SetRule> Rules
    {
        get
        {
            Sort();
            return CollectionsMarshal.AsSpan(_rules);
        }
    }

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
        _rules.Add(new SetRule(cidr.Network, _tags.Count - 1));
        _sorted = false;
    }

    /// <summary>Sorts and takes duplicates out; called by itself when needed.</summary>
    public void Sort()
    {
        if (_sorted)
        {
            return;
        }

        SetRuleSort.Sort(_rules);
        Span<SetRule> rules = CollectionsMarshal.AsSpan(_rules);
        int n = 0;
        foreach (SetRule rule in rules)
        {
            if (n == 0 || rules[n - 1].Cidr != rule.Cidr)
            {
                rules[n++] = rule;
            }
        }

        CollectionsMarshal.SetCount(_rules, n);
        _sorted = true;
    }
}
