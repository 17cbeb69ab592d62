using Couic.Store;

namespace Couic.Peering;

/// <summary>What a link knows of one policy at its peer. Guarded by the link.</summary>
internal sealed class PolicyState(Policy policy)
{
    public Policy Policy => policy;

    /// <summary>The peer answered 401 for it.</summary>
    public bool Refused { get; set; }

    /// <summary>Something may have been missed since the last comparison, so the next difference is looked into at once.</summary>
    public bool Suspect { get; set; } = true;

    public long SuspectSince { get; set; }

    /// <summary>Both sums at the last greeting: a difference that stands still is a real one.</summary>
    public (ulong Own, ulong Peer) LastRoots { get; set; }

    /// <summary>The last greeting followed another one at once.</summary>
    public bool LookedTwice { get; set; }

    public bool? InSync { get; set; }

    public long NextHello { get; set; }

    /// <summary>Not before: the last comparison fetched records that have no room here, and the next one would do so again.</summary>
    public long NextComparison { get; set; } = long.MinValue;

    /// <summary>When a comparison was last completed.</summary>
    public long ComparedAt { get; set; }

    /// <summary>The peer's mark of the last comparison that we completed; it is told so with the next hello.</summary>
    public (ulong Node, long Mark) Mark { get; set; }

    /// <summary>Our own time at which the peer last compared all its rules with ours.</summary>
    public long PeerComparedAt { get; set; } = long.MinValue;

    /// <summary>Places that are due in this flush.</summary>
    public int Due { get; set; }

    public void Suspects(long now)
    {
        Suspect = true;
        SuspectSince = now;
        InSync = null;
    }
}
