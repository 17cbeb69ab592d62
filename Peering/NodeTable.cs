namespace Couic.Peering;

/// <summary>Gives the 64-bit numbers of nodes small ones while a register carries them. Not thread-safe.</summary>
internal sealed class NodeTable
{
    private readonly Dictionary<ulong, int> _ids = [];
    private readonly List<(ulong Node, int Holders)> _nodes = [];
    private readonly Stack<int> _free = new();

    /// <summary>Many more than a cluster draws while one rule lasts; a peer that invents numbers stops there.</summary>
    public const int MaxNodes = 65_536;

    public ulong this[int id] => _nodes[id].Node;

    public bool HasRoomFor(ulong node) => _ids.Count < MaxNodes || _ids.ContainsKey(node);

    public int Acquire(ulong node)
    {
        if (!_ids.TryGetValue(node, out int id))
        {
            if (!_free.TryPop(out id))
            {
                id = _nodes.Count;
                _nodes.Add(default);
            }

            _ids.Add(node, id);
            _nodes[id] = (node, 0);
        }

        _nodes[id] = (node, _nodes[id].Holders + 1);
        return id;
    }

    public void Release(int id)
    {
        (ulong node, int holders) = _nodes[id];
        _nodes[id] = (node, holders - 1);
        if (holders == 1)
        {
            _ids.Remove(node);
            _free.Push(id);
        }
    }
}
