namespace Couic.Store;

/// <summary>Changes that an objection of the guard keeps out of force, for the status. Bounded; thread-safe.</summary>
public sealed class WithheldChanges(TimeProvider time)
{
    private const int MaxHeld = 1000;

    private readonly Lock _gate = new();
    private readonly SortedDictionary<Cidr, (string Text, ulong Expiration)> _ofPeers = [];
    private IReadOnlyList<string> _ofSets = [];

    /// <summary>One line each: entries of sets first.</summary>
    public IReadOnlyList<string> Texts
    {
        get
        {
            ulong now = (ulong)time.GetUtcNow().ToUnixTimeSeconds();
            lock (_gate)
            {
                return [.. _ofSets, .. _ofPeers.Values.Where(held => held.Expiration == 0 || held.Expiration > now).Select(held => held.Text)];
            }
        }
    }

    /// <summary>Replaces what was left out of the sets.</summary>
    public void ReplaceOfSets(IReadOnlyList<string> texts)
    {
        lock (_gate)
        {
            _ofSets = texts;
        }
    }

    /// <summary>Notes a peer's change; false when it is known already or there are too many to keep.</summary>
    /// <param name="expiration">Seconds since 1970 after which it is not wanted any more; 0 for never.</param>
    public bool Add(Cidr network, string text, ulong expiration)
    {
        lock (_gate)
        {
            return _ofPeers.Count < MaxHeld && _ofPeers.TryAdd(network, (text, expiration));
        }
    }

    /// <summary>A peer's change is in force, or was taken back.</summary>
    public void Remove(Cidr network)
    {
        lock (_gate)
        {
            _ofPeers.Remove(network);
        }
    }
}
