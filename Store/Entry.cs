namespace Couic.Store;

/// <summary>A copy of one entry as it stood when it was read.</summary>
/// <param name="Creation">Seconds since 1970 (UTC) at which it was stored.</param>
/// <param name="Expiration">Seconds since 1970 (UTC), 0 for never.</param>
/// <param name="Tag">UTF-8, empty for none; shared, not to be written to.</param>
/// <param name="Creator">Name of the client, set file or peer it came from, UTF-8; empty when unknown.</param>
/// <param name="Origin">Which way it came in.</param>
/// <param name="Slot">Its number in its table, for per-entry counters.</param>
public readonly record struct Entry(
    Cidr Cidr,
    ulong Creation,
    ulong Expiration,
    ReadOnlyMemory<byte> Tag,
    ReadOnlyMemory<byte> Creator,
    ChangeOrigin Origin,
    int Slot)
{
    /// <summary>Why it exists: UTF-8 by <see cref="ReasonRule"/>, empty for none; shared, not to be written to.</summary>
    public ReadOnlyMemory<byte> Reason { get; init; }

    /// <summary>All claims in force, the longest first, which the entry shows; null when there is only that one.</summary>
    public Claim[]? Claims { get; init; }

    /// <summary>Whether a set file defines it; such an entry cannot be changed one by one.</summary>
    public bool IsOfSet => TagRule.IsSetTag(Tag.Span);
}
