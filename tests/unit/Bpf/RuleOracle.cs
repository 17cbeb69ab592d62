using Couic.Store;

namespace Couic.Tests.Bpf;

/// <summary>What is listed, by brute force: every length is tried, the longest first.</summary>
internal sealed class RuleOracle
{
    private readonly Dictionary<(Policy, Cidr), int> _slots = [];

    public int Count => _slots.Count;

    public bool Add(Policy policy, Cidr cidr, int slot) => _slots.TryAdd((policy, cidr), slot);

    public bool Remove(Policy policy, Cidr cidr, out int slot) => _slots.Remove((policy, cidr), out slot);

    public bool TryGet(Policy policy, Cidr cidr, out int slot) => _slots.TryGetValue((policy, cidr), out slot);

    /// <summary>The entry that decides about a source; ignore's comes before drop's.</summary>
    public bool TryDecide(Cidr source, out Policy policy, out Cidr cidr, out int slot)
    {
        foreach (Policy asked in (Policy[])[Policy.Ignore, Policy.Drop])
        {
            for (int length = source.MaxLength; length >= 0; length--)
            {
                if (_slots.TryGetValue((asked, source.WithLength(length)), out slot))
                {
                    (policy, cidr) = (asked, source.WithLength(length));
                    return true;
                }
            }
        }

        (policy, cidr, slot) = (default, default, -1);
        return false;
    }

    public List<(Policy Policy, Cidr Cidr)> All => [.. _slots.Keys];
}
