namespace Couic.Api.Contracts;

/// <summary>An entry as answers of the API show it.</summary>
public sealed record EntryRecord
{
    /// <summary>Seconds since 1970 at which it was stored.</summary>
    public required ulong Creation { get; init; }

    public required string Cidr { get; init; }

    /// <summary>Null for none.</summary>
    public string? Tag { get; init; }

    /// <summary>Seconds since 1970, 0 for never.</summary>
    public required ulong Expiration { get; init; }

    /// <summary>Client, set or peer it came from; only with <c>details=true</c>.</summary>
    public string? AddedBy { get; init; }

    /// <summary>Packets whose source it decided; only with <c>details=true</c>, and null when entries are not counted.</summary>
    public ulong? Packets { get; init; }

    /// <summary>Seconds since 1970 at which a packet last met it, 0 for never; only with <c>details=true</c>.</summary>
    public ulong? LastHit { get; init; }
}
