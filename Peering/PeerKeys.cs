namespace Couic.Peering;

/// <summary>
/// Who may be told of rules. A token alone lets no client read them: each node tells its key in the greetings that it sends to
/// the peers of its configuration, and answers questions about rules only where the key is shown. So rules travel to hosts
/// that the operator has named, and a leaked token lists nothing. What one client tells never displaces what another one
/// told. Thread-safe.
/// </summary>
/// <param name="own">Drawn anew at each start.</param>
internal sealed class PeerKeys(ulong own)
{
    /// <summary>Keys that are kept for one client, which may be shared by all peers; the oldest one is evicted first.</summary>
    public const int MaxPerClient = 2 * PeeringSettings.MaxPeers;

    private readonly Lock _gate = new();

    /// <summary>In the order of their arrival.</summary>
    private readonly List<Told> _told = [];

    public ulong Own => own;

    /// <summary>Notes what a node has told in its greeting. Returns whether that is news.</summary>
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
    /// What to show to a node; false for one that has not greeted us yet. Where clients disagree the first one counts until
    /// the node has refused its key (<see cref="Reject"/>).
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

    /// <summary>The node has refused the key.</summary>
    public void Reject(ulong node, ulong key)
    {
        lock (_gate)
        {
            _told.RemoveAll(told => told.Node == node && told.Key == key);
        }
    }

    private readonly record struct Told(string Client, ulong Node, ulong Key);
}
