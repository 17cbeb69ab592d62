using Couic.Store;

namespace Couic.Bpf;

/// <summary>What a data plane is made for.</summary>
public sealed record PlaneOptions
{
    public static readonly PlaneOptions Default = new();

    /// <summary>Sizes of all tables.</summary>
    public StoreLimits Limits { get; init; } = StoreLimits.Default;

    /// <summary>Whether source addresses are looked up.</summary>
    public bool MatchSource { get; init; } = true;

    /// <summary>Whether destination addresses are looked up; after the source's, where both are.</summary>
    public bool MatchDestination { get; init; }

    /// <summary>Whether each entry's packets and last hit are kept.</summary>
    public bool PerEntryCounters { get; init; } = true;
}
