using System.Collections.Concurrent;

namespace Couic.Peering;

/// <summary>
/// Who may be told of rules. A token alone lets nobody read them: each node tells its key in the greetings that it sends to
/// the peers of its configuration, and answers questions about rules only where the key is shown. So rules travel to hosts
/// that the operator has named, and a leaked token lists nothing. Thread-safe.
/// </summary>
/// <param name="own">Drawn anew at each start.</param>
internal sealed class PeerKeys(ulong own)
{
    /// <summary>Beyond so many all are forgotten; nodes greet again within two seconds.</summary>
    private const int Max = 4 * PeeringSettings.MaxPeers;

    private readonly ConcurrentDictionary<ulong, ulong> _told = new();

    public ulong Own => own;

    /// <summary>Notes what a node has told in its greeting. Returns whether that is news.</summary>
    public bool Learn(ulong node, ulong key)
    {
        if (key == 0 || (_told.TryGetValue(node, out ulong known) && known == key))
        {
            return false;
        }

        if (_told.Count >= Max)
        {
            _told.Clear();
        }

        _told[node] = key;
        return true;
    }

    /// <summary>What to show to a node; false for one that has not greeted us yet.</summary>
    public bool TryGet(ulong node, out ulong key) => _told.TryGetValue(node, out key);
}
