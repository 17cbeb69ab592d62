using System.Runtime.InteropServices;

namespace Couic.Store;

/// <summary>A tag that wants a network, until when, and why.</summary>
/// <param name="Tag">UTF-8, empty for none; this and the other texts are shared, not to be written to.</param>
/// <param name="Expiration">Seconds since 1970, 0 for never.</param>
/// <param name="Deadline">Monotonic timestamp at which it ends; <see cref="long.MaxValue"/> for never.</param>
public readonly record struct Claim(byte[] Tag, byte[] Creator, byte[] Reason, ChangeOrigin Origin, ulong Expiration, long Deadline);

/// <summary>
/// The claims on one table's entries besides what each entry itself shows, by slot. The entry shows the claim that lasts longest.
/// Bounded: what finds no room is forgotten, and the entry stays. Not thread-safe.
/// </summary>
internal sealed class Claims
{
    /// <summary>Claims on one entry, the one that it shows included.</summary>
    public const int MaxPerEntry = 8;

    /// <summary>Claims on all entries of a table, besides what the entries show.</summary>
    public const int MaxTotal = 65_536;

    private readonly Dictionary<int, List<Claim>> _bySlot = [];

    public int Total { get; private set; }

    public bool Has(int slot) => _bySlot.Count > 0 && _bySlot.ContainsKey(slot);

    /// <summary>The claims on one entry; valid until the next change of them.</summary>
    public ReadOnlySpan<Claim> Of(int slot) => CollectionsMarshal.AsSpan(_bySlot.GetValueOrDefault(slot));

    /// <summary>Whether a tag has a claim that lasts beyond now.</summary>
    public bool Has(int slot, ReadOnlySpan<byte> tag, long now)
    {
        ReadOnlySpan<Claim> claims = Of(slot);
        return IndexOf(claims, tag) is var at and >= 0 && claims[at].Deadline > now;
    }

    /// <summary>Whether another claim fits, on this entry and in the table.</summary>
    public bool HasRoom(int slot, long now)
    {
        RemoveExpired(slot, now);
        return Total < MaxTotal && Of(slot).Length < MaxPerEntry - 1;
    }

    /// <summary>Keeps a claim; of two under one tag, the one that lasts longer. Beyond the limits the longest are kept.</summary>
    /// <returns>Whether it is kept.</returns>
    public bool Add(int slot, in Claim claim, long now)
    {
        RemoveExpired(slot, now);
        if (!_bySlot.TryGetValue(slot, out List<Claim>? claims))
        {
            claims = [];
        }

        int same = IndexOf(CollectionsMarshal.AsSpan(claims), claim.Tag);
        int replaced = same >= 0 ? same : claims.Count >= MaxPerEntry - 1 ? IndexOfShortest(claims) : -1;
        if (replaced >= 0)
        {
            bool isLonger = claims[replaced].Deadline < claim.Deadline;
            claims[replaced] = isLonger ? claim : claims[replaced];
            return isLonger;
        }

        if (Total >= MaxTotal)
        {
            return false;
        }

        claims.Add(claim);
        _bySlot[slot] = claims;
        Total++;
        return true;
    }

    /// <summary>Drops the claim of a tag. False when there is none.</summary>
    public bool Remove(int slot, ReadOnlySpan<byte> tag)
    {
        if (!_bySlot.TryGetValue(slot, out List<Claim>? claims) || IndexOf(CollectionsMarshal.AsSpan(claims), tag) is var at && at < 0)
        {
            return false;
        }

        claims.RemoveAt(at);
        Total--;
        if (claims.Count == 0)
        {
            _bySlot.Remove(slot);
        }

        return true;
    }

    /// <summary>The claim that lasts longest. False when none lasts beyond now.</summary>
    public bool TryFindLongest(int slot, long now, out Claim longest)
    {
        longest = default;
        foreach (Claim claim in _bySlot.GetValueOrDefault(slot) ?? [])
        {
            if (claim.Deadline > now && claim.Deadline >= longest.Deadline)
            {
                longest = claim;
            }
        }

        return longest.Tag is not null;
    }

    /// <summary>Drops all claims on an entry.</summary>
    public void Clear(int slot)
    {
        if (_bySlot.Count > 0 && _bySlot.Remove(slot, out List<Claim>? claims))
        {
            Total -= claims.Count;
        }
    }

    /// <summary>The entries that a tag claims without showing it.</summary>
    public IEnumerable<int> SlotsUnder(byte[] tag) => _bySlot.Where(claimed => IndexOf(CollectionsMarshal.AsSpan(claimed.Value), tag) >= 0).Select(claimed => claimed.Key);

    private static int IndexOfShortest(List<Claim> claims)
    {
        int shortest = 0;
        for (int i = 1; i < claims.Count; i++)
        {
            shortest = claims[i].Deadline < claims[shortest].Deadline ? i : shortest;
        }

        return shortest;
    }

    private void RemoveExpired(int slot, long now)
    {
        if (_bySlot.TryGetValue(slot, out List<Claim>? claims))
        {
            Total -= claims.RemoveAll(claim => claim.Deadline <= now);
            if (claims.Count == 0)
            {
                _bySlot.Remove(slot);
            }
        }
    }

    private static int IndexOf(ReadOnlySpan<Claim> claims, ReadOnlySpan<byte> tag)
    {
        for (int i = 0; i < claims.Length; i++)
        {
            if (claims[i].Tag.AsSpan().SequenceEqual(tag))
            {
                return i;
            }
        }

        return -1;
    }
}
