namespace Couic.Store;

/// <summary>How much a store holds. Units: entries per address family, and tags per policy.</summary>
/// <param name="MaxDropEntries">1.x: 262,144.</param>
/// <param name="MaxIgnoreEntries">1.x: 65,536.</param>
/// <param name="MaxTags">Tags with a counter of their own; further ones share one counter.</param>
public sealed record StoreLimits(int MaxDropEntries = 262_144, int MaxIgnoreEntries = 65_536, int MaxTags = 4_096)
{
    public static readonly StoreLimits Default = new();

    public int Entries(Policy policy) => policy == Policy.Drop ? MaxDropEntries : MaxIgnoreEntries;

    /// <summary>Counters per policy: untagged, one a tag, one for the tags beyond the limit.</summary>
    public int Counters => MaxTags + 2;
}
