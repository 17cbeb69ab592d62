namespace Couic.Store;

/// <summary>
/// One entry of a listing, in as little memory as it takes: 40 bytes. It refers to nothing: the collector would go through 262,144 of them
/// each time it looks, for 10 ms.
/// </summary>
/// <param name="tag">What <see cref="Listing.Tag"/> knows it by.</param>
public readonly struct ListedEntry(Cidr cidr, ulong creation, ulong expiration, int tag)
{
    /// <summary>By network.</summary>
    public static readonly Comparison<ListedEntry> Order = static (a, b) => a.Cidr.CompareTo(b.Cidr);

    private readonly ulong _high = cidr.High;
    private readonly ulong _low = cidr.Low;
    private readonly byte _length = cidr.Length;
    private readonly IpFamily _family = cidr.Family;

    public Cidr Cidr => new(_family, _high, _low, _length);

    public ulong Creation { get; } = creation;

    public ulong Expiration { get; } = expiration;

    public int Tag { get; } = tag;
}
