namespace Couic.Store;

/// <summary>
/// The networks of one address family in a <see cref="SetImage"/>. Lines are taken as they come while they fit even without a
/// duplicate among them; from there on each is looked up first, so that duplicates take no room. Not thread-safe.
/// </summary>
internal sealed class SetNetworks(IpFamily family, int max)
{
    private HashSet<Cidr>? _distinct;
    private int _setStart;

    public SetRuleList Rules { get; } = new(family);

    public void BeginSet() => _setStart = Rules.Count;

    /// <summary>False when there is no room for a further network.</summary>
    public bool TryAdd(Cidr network, int set)
    {
        if (_distinct is null && Rules.Count >= max)
        {
            RemoveDuplicates(set);
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

        Rules.Add(network, set);
        return true;
    }

    /// <summary>Takes out what was added since the present set began.</summary>
    public void DropSet()
    {
        for (int i = _setStart; i < Rules.Count && _distinct is not null; i++)
        {
            _distinct.Remove(Rules[i].Cidr);
        }

        Rules.Truncate(_setStart);
    }

    private void RemoveDuplicates(int set)
    {
        Rules.Sort();
        Rules.RemoveDuplicates();
        _setStart = Rules.MoveToEnd(set);
        _distinct = new HashSet<Cidr>(max);
        for (int i = 0; i < Rules.Count; i++)
        {
            _distinct.Add(Rules[i].Cidr);
        }
    }
}
