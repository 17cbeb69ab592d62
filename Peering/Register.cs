using Couic.Store;

namespace Couic.Peering;

internal enum RegisterState : byte
{
    Live = 0,

    /// <summary>Removed; kept until no peer can hold an older version of this CIDR.</summary>
    Removed = 1,

    /// <summary>Expired. Each node expires its own rules, so expiry itself is not sent.</summary>
    Expired = 2,
}

[Flags]
internal enum RegisterFlags : byte
{
    None = 0,

    /// <summary>The store holds this value.</summary>
    Applied = 1,

    /// <summary>A set on this node defines the CIDR; the value applies when the set no longer does.</summary>
    Shadowed = 2,

    /// <summary>The value is part of the digest: it is live and its deadline has not passed.</summary>
    InDigest = 4,

    /// <summary>The value is on the list of values that the store is asked to apply again.</summary>
    Waiting = 8,

    /// <summary>The table has a reason for it.</summary>
    HasReason = 16,
}

/// <summary>A last-writer-wins register: the latest value for one CIDR that this node knows.</summary>
internal struct Register : ISlot
{
    private ulong _high;
    private ulong _low;
    public ulong Time;
    public ulong Expiration;

    /// <summary>Monotonic timestamp at which it became a tombstone.</summary>
    public long TombstoneSince;

    /// <summary>One bit per peer that has not confirmed the value.</summary>
    public ulong Queued;

    /// <summary>One bit per peer to which this node never sent a value for the CIDR.</summary>
    public ulong NeverSent;

    public int Node;
    public int Tag;
    public int LeafNext;
    public int LeafPrevious;

    /// <summary>Neighbours on the list of tombstones or of unapplied values; a register is on one of them at most.</summary>
    public int ListNext;
    public int ListPrevious;
    private byte _length;
    private IpFamily _family;
    public RegisterState State;
    public RegisterFlags Flags;

    public Cidr Cidr
    {
        readonly get => new(_family, _high, _low, _length);
        set => (_family, _high, _low, _length) = (value.Family, value.High, value.Low, value.Length);
    }

    public bool InUse { get; set; }

    public int Next { get; set; }

    public int HeapIndex { get; set; }

    /// <summary>Monotonic timestamp of the expiry; <see cref="long.MaxValue"/> for never.</summary>
    public long Deadline { get; set; }

    public readonly bool Matches(in Cidr cidr) =>
        _high == cidr.High && _low == cidr.Low && _length == cidr.Length && _family == cidr.Family;

    public readonly bool Has(RegisterFlags flag) => (Flags & flag) != 0;
}

/// <summary>
/// The version of a value: when and where it was written. Versions are totally ordered and no two writes share one, so every
/// node agrees on the greater.
/// </summary>
/// <param name="Time">Hybrid logical time: Unix milliseconds times 65,536, plus a counter.</param>
/// <param name="Node">Number of the writing node, a fresh random number per start; breaks ties.</param>
public readonly record struct RuleVersion(ulong Time, ulong Node) : IComparable<RuleVersion>
{
    public int CompareTo(RuleVersion other) =>
        Time != other.Time ? Time.CompareTo(other.Time) : Node.CompareTo(other.Node);

    public static bool operator <(RuleVersion left, RuleVersion right) => left.CompareTo(right) < 0;

    public static bool operator >(RuleVersion left, RuleVersion right) => left.CompareTo(right) > 0;

    public static bool operator <=(RuleVersion left, RuleVersion right) => left.CompareTo(right) <= 0;

    public static bool operator >=(RuleVersion left, RuleVersion right) => left.CompareTo(right) >= 0;
}
