namespace Couic.Store;

/// <summary>One entry of a listing, in as little memory as it takes.</summary>
/// <param name="tag">UTF-8, empty for none; shared.</param>
public readonly struct ListedEntry(Cidr cidr, ulong creation, ulong expiration, byte[] tag)
{
    /// <summary>By network.</summary>
    public static readonly Comparison<ListedEntry> Order = static (a, b) => a.Cidr.CompareTo(b.Cidr);

    public Cidr Cidr { get; } = cidr;

    public ulong Creation { get; } = creation;

    public ulong Expiration { get; } = expiration;

    public byte[] Tag { get; } = tag;
}
