using Couic.Store;

namespace Couic.Peering;

/// <summary>What another node says about a CIDR.</summary>
/// <param name="Stamp">Null when a node that knows only the plain wire said it.</param>
/// <param name="Expiration">Seconds since 1970 by the sender's clock; 0 for never.</param>
/// <param name="Left">Time to live that is left; null goes by the expiration.</param>
internal sealed record RemoteChange(
    Cidr Cidr, Stamp? Stamp, ReplicaState State, ReadOnlyMemory<byte> Tag, ulong Expiration, TimeSpan? Left);

/// <summary>How the changes of one batch or answer ended.</summary>
public sealed class ApplyCounts
{
    public int Applied { get; set; }

    /// <summary>Known already, older than what is known, absent, or over before it came.</summary>
    public int NoNews { get; set; }

    /// <summary>Left alone because a set of this node defines the CIDR.</summary>
    public int OwnedBySet { get; set; }

    /// <summary>The table was full, or the data plane or the guard refused; tried again later.</summary>
    public int Refused { get; set; }

    /// <summary>There was no room to record it; not tried again, but found when the nodes compare.</summary>
    public int NoRoom { get; set; }

    /// <summary>Stamped too far ahead of the own clock.</summary>
    public int FromTheFuture { get; set; }

    /// <summary>Changes that the guard objected to, whether they were made or not.</summary>
    public int Objections { get; set; }
}
