namespace Couic.Peering;

/// <summary>
/// Decides which nodes may read rules. A token alone does not allow it: each node sends its key in hellos to its configured
/// peers, and answers questions about rules only when they contain the key. So rules are sent only to hosts that the operator
/// named, and a leaked token cannot list them. A key from one client never displaces the key from another. Thread-safe.
/// </summary>
/// <param name="own">A fresh random number per start.</param>
internal sealed class PeerKeys(ulong own)
{
    /// <summary>Keys per client, which all peers may share; the oldest is evicted first.</summary>
    public const int MaxPerClient = 2 * PeeringSettings.MaxPeers;

    private readonly Lock _gate = new();

    /// <summary>In order of arrival.</summary>
    private readonly List<Told> _told = [];

    public ulong Own => own;

    /// <summary>Stores the key of a node's hello. Returns whether it is new.</summary>
    public bool Learn(string client, ulong node, ulong key)
    {
        lock (_gate)
        {
            int known = _told.FindIndex(told => told.Node == node && told.Client == client);
            if (key == 0 || (known >= 0 && _told[known].Key == key))
            {
                return false;
            }

            if (known >= 0)
            {
                _told.RemoveAt(known);
            }
            else if (_told.Count(told => told.Client == client) >= MaxPerClient)
            {
                _told.RemoveAt(_told.FindIndex(told => told.Client == client));
            }

            _told.Add(new Told(client, node, key));
            return true;
        }
    }

    /// <summary>
    /// The key for questions to a node; false for a node that has not sent a hello yet. Where clients disagree, the first key
    /// counts until the node refuses it (<see cref="Reject"/>).
    /// </summary>
    public bool TryGet(ulong node, out ulong key)
    {
        lock (_gate)
        {
            int first = _told.FindIndex(told => told.Node == node);
            key = first < 0 ? 0 : _told[first].Key;
            return first >= 0;
        }
    }

    /// <summary>Drops a key that the node refused.</summary>
    public void Reject(ulong node, ulong key)
    {
        lock (_gate)
        {
            _told.RemoveAll(told => told.Node == node && told.Key == key);
        }
    }

    private readonly record struct Told(string Client, ulong Node, ulong Key);
}
