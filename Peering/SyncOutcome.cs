namespace Couic.Peering;

/// <summary>What became of a message of the comparison.</summary>
public enum SyncOutcome
{
    Answered,

    /// <summary>The body is no such message, or the policy does not travel here.</summary>
    Malformed,

    /// <summary>A question about rules without the key that this node tells its peers.</summary>
    Forbidden,

    /// <summary>The wall clock or the logical time of the sender is too far from ours.</summary>
    ClockOff,
}
