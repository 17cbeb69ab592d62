using System.Text;
using Couic.Store;

namespace Couic.Peering;

internal sealed partial class PeeringEngine
{
    /// <summary>Objections of one batch that are logged.</summary>
    private const int MaxLoggedObjections = 10;

    /// <summary>
    /// Asks the guard about a peer's rule. True: it is not put into force here, and is tried again like one that found the table full. A rule
    /// that is in force already changes nobody's access. The caller holds the store.
    /// </summary>
    private bool Withholds(Policy policy, Cidr cidr, bool isAdd, ulong expiration, ReadOnlySpan<byte> creator, ApplyCounts counts)
    {
        LockoutGuard guard = _store.Guard;
        LockoutObjection? objection = (policy, isAdd) switch
        {
            (Policy.Drop, true) => guard.ObjectionToDrop(cidr),
            (Policy.Ignore, false) => guard.ObjectionToUnignore(cidr),
            _ => null,
        };
        if (objection is null || (isAdd && _store.TryGet(policy, cidr, out _)))
        {
            return false;
        }

        bool isWithheld = guard.Refuses(objection, LockoutStance.Default);
        string action = isAdd ? "addition" : "removal";
        bool isNews = !isWithheld || guard.Withheld.Add(cidr, $"{action} of {cidr} of {policy.Name()} by a peer: {objection.Reason}", expiration);
        if (isNews && counts.Objections++ < MaxLoggedObjections)
        {
            string client = Encoding.UTF8.GetString(creator);
            if (isWithheld)
            {
                PeeringLog.Withheld(Log, action, policy.Name(), cidr, client, objection.Text);
            }
            else
            {
                PeeringLog.MayLockOut(Log, action, policy.Name(), cidr, client, objection.Reason);
            }
        }

        return isWithheld;
    }

    /// <summary>A peer's rule is in force, or is not wanted any more.</summary>
    private void EndWithholding(Cidr cidr, StoreOutcome outcome)
    {
        if (outcome != StoreOutcome.Refused)
        {
            _store.Guard.Withheld.Remove(cidr);
        }
    }
}
