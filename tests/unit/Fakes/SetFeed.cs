using Couic.Store;

namespace Couic.Tests.Fakes;

/// <summary>Knows which networks are of sets, from what it is told alone.</summary>
public sealed class SetFeed : IChangeListener
{
    private readonly HashSet<(Policy, Cidr)> _networks = [];

    public void OnChange(in RuleEvent change)
    {
        if (change.Origin != ChangeOrigin.Set)
        {
            return;
        }

        if (change.Kind == RuleEventKind.Deleted)
        {
            _networks.Remove((change.Policy, change.Entry.Cidr));
        }
        else
        {
            _networks.Add((change.Policy, change.Entry.Cidr));
        }
    }

    public IEnumerable<Cidr> Networks(Policy policy) => _networks.Where(n => n.Item1 == policy).Select(n => n.Item2).Order();
}
