namespace Couic.Store;

/// <summary>One entry of a listing, in as little memory as it takes; <see cref="ToEntry"/> has the rest.</summary>
public readonly struct ListedEntry(Cidr cidr, ulong creation, ulong expiration, byte[] tag, byte[] creator, int slot)
{
    /// <summary>By network.</summary>
    public static readonly Comparison<ListedEntry> Order = static (a, b) => a.Cidr.CompareTo(b.Cidr);

    private readonly byte[] _tag = tag;
    private readonly byte[] _creator = creator;
    private readonly int _slot = slot;

    public Cidr Cidr { get; } = cidr;

    public ulong Creation { get; } = creation;

    public ulong Expiration { get; } = expiration;

    public ReadOnlySpan<byte> Tag => _tag;

    public Entry ToEntry() => new(Cidr, Creation, Expiration, _tag, _creator, ChangeOrigin.Api, _slot);
}
