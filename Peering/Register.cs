using Couic.Store;

namespace Couic.Peering;

internal enum RegisterState : byte
{
    Live = 0,

    /// <summary>Somebody removed it; kept until no peer can hold an older word on this CIDR.</summary>
    Removed = 1,

    /// <summary>Its time came. Each node expires its own, so nothing is sent for it as such.</summary>
    Expired = 2,
}

[Flags]
internal enum RegisterFlags : byte
{
    None = 0,

    /// <summary>The store holds what this record says.</summary>
    Applied = 1,

    /// <summary>A set on this node defines the CIDR; the record waits for the set to go.</summary>
    Shadowed = 2,

    /// <summary>Its version is part of the digests: it is live and its time has not come.</summary>
    InDigest = 4,

    /// <summary>The store is asked again to take it; it is on the list of those.</summary>
    Waiting = 8,
}

/// <summary>The last word on one CIDR, as this node knows it; one slot of a <see cref="RegisterSlots"/>.</summary>
internal struct Register
{
    public ulong High;
    public ulong Low;
    public ulong Time;
    public ulong Expiration;

    /// <summary>Monotonic timestamp at which a live one expires; <see cref="long.MaxValue"/> for never.</summary>
    public long Deadline;

    /// <summary>Monotonic timestamp at which it stopped being live.</summary>
    public long TombstoneSince;

    /// <summary>One bit for each peer that has yet to confirm it.</summary>
    public ulong Queued;

    /// <summary>One bit for each peer that this node never told anything about the CIDR.</summary>
    public ulong NeverSent;

    public int Node;
    public int Tag;
    public int BucketNext;
    public int LeafNext;
    public int LeafPrevious;
    public int HeapIndex;

    /// <summary>Neighbours on the list of dead or of waiting records, whichever it belongs to.</summary>
    public int ListNext;
    public int ListPrevious;
    public byte Length;
    public IpFamily Family;
    public RegisterState State;
    public RegisterFlags Flags;
    public bool InUse;

    public readonly Cidr Cidr => new(Family, High, Low, Length);

    public readonly bool Has(RegisterFlags flag) => (Flags & flag) != 0;
}

/// <summary>
/// When and where a rule was last changed. Versions are totally ordered and no two changes share one, so the greater of two
/// is the same on every node: the last word on a CIDR.
/// </summary>
/// <param name="Time">Hybrid logical time: milliseconds since 1970 times 65,536, plus a count.</param>
/// <param name="Node">Number of the node that made the change, drawn anew at each of its starts; breaks ties.</param>
public readonly record struct RuleVersion(ulong Time, ulong Node) : IComparable<RuleVersion>
{
    public int CompareTo(RuleVersion other) =>
        Time != other.Time ? Time.CompareTo(other.Time) : Node.CompareTo(other.Node);

    public static bool operator <(RuleVersion left, RuleVersion right) => left.CompareTo(right) < 0;

    public static bool operator >(RuleVersion left, RuleVersion right) => left.CompareTo(right) > 0;

    public static bool operator <=(RuleVersion left, RuleVersion right) => left.CompareTo(right) <= 0;

    public static bool operator >=(RuleVersion left, RuleVersion right) => left.CompareTo(right) >= 0;
}
