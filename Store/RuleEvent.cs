namespace Couic.Store;

/// <summary>Where a change came from; it decides which listeners report it.</summary>
public enum ChangeOrigin : byte
{
    Api,
    Peer,
    Set,
    Expiry,

    /// <summary>Restored at the start: neither reported nor replicated as a change.</summary>
    Journal,
}

public enum RuleEventKind : byte
{
    Created,
    Updated,
    Deleted,
    Expired,
}

/// <summary>One change that is in force in the data plane.</summary>
/// <param name="Entry">As it is now, or as it was when it went.</param>
/// <param name="Metadata">The request's <c>metadata</c> object as JSON; null when there was none.</param>
public readonly record struct RuleEvent(
    RuleEventKind Kind,
    Policy Policy,
    Entry Entry,
    ChangeOrigin Origin,
    byte[]? Metadata)
{
    /// <summary>Name of the client or peer that made the change, UTF-8; empty for expiries and sets.</summary>
    public byte[] Actor { get; init; } = [];

    /// <summary>Whether it is one of many of a request.</summary>
    public bool IsBulk { get; init; }
}

/// <summary>
/// Hears of each change after the commit, in the order in which changes took effect. Called under the store's lock: it must be quick, must
/// not throw and must not call the store.
/// </summary>
public interface IChangeListener
{
    void OnChange(in RuleEvent change);

    /// <summary>The claims of other tags on an entry changed, and the entry did not.</summary>
    void OnClaimsChange(Policy policy, Cidr cidr, int slot)
    {
    }
}

/// <summary>The origin of a change, and what goes with it into reports.</summary>
/// <param name="Creator">Name of the client, set file or peer, UTF-8.</param>
/// <param name="Left">
/// The exact time left of an entry that expires, if it was set by another node's clock; null to use the expiration.
/// </param>
/// <param name="Reason">Why the entry exists, valid by <see cref="ReasonRule"/>; empty for none.</param>
/// <param name="kept">For a restored entry: what it was before the restart; null for a change made now.</param>
public readonly ref struct ChangeContext(
    ChangeOrigin origin, ReadOnlySpan<byte> creator, byte[]? metadata = null, TimeSpan? left = null, ReadOnlySpan<byte> reason = default, KeptFacts? kept = null)
{
    public ChangeOrigin Origin { get; } = origin;

    public ReadOnlySpan<byte> Creator { get; } = creator;

    public byte[]? Metadata { get; } = metadata;

    public TimeSpan? Left { get; } = left;

    public ReadOnlySpan<byte> Reason { get; } = reason;

    /// <summary>The creator as an array that outlives the change; null: the store makes a copy.</summary>
    public byte[]? Actor { get; init; }

    /// <summary>Whether the change is one of many of a request.</summary>
    public bool IsBulk { get; init; }

    public KeptFacts? Kept { get; } = kept;

    /// <summary>The origin of the entry, which a restored one keeps.</summary>
    public ChangeOrigin EntryOrigin => Kept?.Origin ?? Origin;
}

/// <summary>What a restored entry keeps from before the restart.</summary>
/// <param name="Origin">How it came in at first.</param>
/// <param name="Creation">Seconds since 1970 at which it was stored at first.</param>
/// <param name="Left">The exact time left; null if it never expires.</param>
public readonly record struct KeptFacts(ChangeOrigin Origin, ulong Creation, TimeSpan? Left);
