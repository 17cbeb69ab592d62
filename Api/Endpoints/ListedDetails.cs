using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>What <c>?details=true</c> says of an entry beside what every listing does: who added it, its packets and the second of the last one.</summary>
internal readonly struct ListedDetails(in Entry entry, EntryHits? hits)
{
    private readonly ReadOnlyMemory<byte> _creator = entry.Creator;
    private readonly ulong _packets = hits?.Packets ?? 0;
    private readonly uint _lastHit = (uint)(hits?.LastHit?.ToUnixTimeSeconds() ?? 0);
    private readonly bool _isCounted = hits is not null;

    /// <summary>Null where entries are not counted.</summary>
    public EntryHits? Hits =>
        _isCounted ? new EntryHits(_packets, _lastHit == 0 ? null : DateTimeOffset.FromUnixTimeSeconds(_lastHit)) : null;

    public Entry ToEntry(in ListedEntry row, byte[] tag) => new(row.Cidr, row.Creation, row.Expiration, tag, _creator, ChangeOrigin.Api, 0);
}
