using System.Runtime.InteropServices;

namespace Couic.Store;

/// <summary>A tag that also wants a network whose entry shows another tag, and until when.</summary>
/// <param name="Expiration">Seconds since 1970, 0 for never.</param>
/// <param name="Deadline">Monotonic timestamp at which it ends; <see cref="long.MaxValue"/> for never.</param>
internal readonly record struct Claim(byte[] Tag, byte[] Creator, byte[] Reason, ChangeOrigin Origin, ulong Expiration, long Deadline);

/// <summary>
/// The claims on one table's entries besides what each entry itself shows, by slot. The entry shows the claim that lasts longest.
/// Bounded: what finds no room is forgotten, and the entry stays. Not thread-safe.
/// </summary>
internal sealed class Claims
{
    /// <summary>Claims on one entry.</summary>
    public const int MaxPerEntry = 15;

    /// <summary>Claims on all entries of a table.</summary>
    public const int MaxTotal = 65_536;

    private readonly Dictionary<int, List<Claim>> _bySlot = [];

    public int Total { get; private set; }

    public bool Has(int slot) => _bySlot.ContainsKey(slot);

    /// <summary>The claims on one entry; valid until the next change of them.</summary>
    public ReadOnlySpan<Claim> Of(int slot) => CollectionsMarshal.AsSpan(_bySlot.GetValueOrDefault(slot));

    /// <summary>Keeps a claim; of two under one tag, the one that lasts longer.</summary>
    public void Add(int slot, in Claim claim)
    {
        if (!_bySlot.TryGetValue(slot, out List<Claim>? claims))
        {
            claims = [];
        }

        int same = IndexOf(claims, claim.Tag);
        if (same >= 0)
        {
            claims[same] = claims[same].Deadline >= claim.Deadline ? claims[same] : claim;
        }
        else if (claims.Count == MaxPerEntry)
        {
            int shortest = IndexOfShortest(claims);
            claims[shortest] = claims[shortest].Deadline >= claim.Deadline ? claims[shortest] : claim;
        }
        else if (Total < MaxTotal)
        {
            claims.Add(claim);
            _bySlot[slot] = claims;
            Total++;
        }
    }

    /// <summary>Drops the claim of a tag. False when there is none.</summary>
    public bool Remove(int slot, ReadOnlySpan<byte> tag)
    {
        if (!_bySlot.TryGetValue(slot, out List<Claim>? claims) || IndexOf(claims, tag) is var at && at < 0)
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
    public IEnumerable<int> SlotsUnder(byte[] tag) => _bySlot.Where(claimed => IndexOf(claimed.Value, tag) >= 0).Select(claimed => claimed.Key);

    private static int IndexOfShortest(List<Claim> claims)
    {
        int shortest = 0;
        for (int i = 1; i < claims.Count; i++)
        {
            shortest = claims[i].Deadline < claims[shortest].Deadline ? i : shortest;
        }

        return shortest;
    }

    private static int IndexOf(List<Claim> claims, ReadOnlySpan<byte> tag)
    {
        for (int i = 0; i < claims.Count; i++)
        {
            if (claims[i].Tag.AsSpan().SequenceEqual(tag))
            {
                return i;
            }
        }

        return -1;
    }
}
