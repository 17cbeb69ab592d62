using Couic.Store;

namespace Couic.Peering;

internal enum ReplicaState : byte
{
    Live = 0,

    /// <summary>Somebody removed it; kept until no peer can hold an older word on this CIDR.</summary>
    Removed = 1,

    /// <summary>Its time came. Each node expires its own, so nothing is sent for it as such.</summary>
    Expired = 2,
}

[Flags]
internal enum ReplicaFlags : byte
{
    None = 0,

    /// <summary>The store holds what this record says.</summary>
    Applied = 1,

    /// <summary>A set on this node defines the CIDR; the record waits for the set to go.</summary>
    Shadowed = 2,

    /// <summary>Its stamp is part of the digests: it is live and its time has not come.</summary>
    InDigest = 4,

    /// <summary>The store is asked again to take it; it is on the list of those.</summary>
    Waiting = 8,
}

/// <summary>The last word on one CIDR, as this node knows it; one slot of a <see cref="ReplicaTable"/>.</summary>
internal struct Replica
{
    public ulong High;
    public ulong Low;
    public ulong Time;
    public ulong Expiration;

    /// <summary>Monotonic timestamp at which a live one expires; <see cref="long.MaxValue"/> for never.</summary>
    public long Deadline;

    /// <summary>Monotonic timestamp at which it stopped being live.</summary>
    public long DiedAt;

    /// <summary>One bit for each peer that has yet to confirm it.</summary>
    public ulong Queued;

    /// <summary>One bit for each peer that this node never told anything about the CIDR.</summary>
    public ulong Unaware;

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
    public ReplicaState State;
    public ReplicaFlags Flags;
    public bool InUse;

    public readonly Cidr Cidr => new(Family, High, Low, Length);

    public readonly bool Has(ReplicaFlags flag) => (Flags & flag) != 0;
}
