namespace Couic.IntegrationTests.Harness;

/// <summary>Daemons on one bridge, each in its own namespace and with all others as peers.</summary>
internal sealed class Cluster : IDisposable
{
    private const int Port = 2900;
    private readonly Scratch _scratch = new();
    private readonly NetSpace _switch = new();
    private readonly Node[] _nodes;
    private readonly string _tables;

    /// <param name="tables">Tables of each configuration besides <c>[peering]</c>.</param>
    public Cluster(int size, string tables = "")
    {
        _tables = tables;
        Shell.Check(_switch, "ip", "link", "add", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0");
        Shell.Check(_switch, "ip", "link", "set", "br0", "up");
        _nodes = [.. Enumerable.Range(0, size).Select(MakeNode)];
        foreach (Node node in _nodes)
        {
            // The others' clients first, so that each knows its tokens before the first one connects.
            using Daemon lonely = Daemon.Start(_scratch, node.Space, Options(node, tables));
            foreach (Node other in _nodes.Where(o => o != node))
            {
                lonely.Api.Post("/v1/client", $$"""{"name":"{{other.Name}}","group":"peering"}""").Expect(201);
                other.Tokens[node.Name] = lonely.TokenOf(other.Name);
            }

            lonely.End();
        }

        for (int i = 0; i < size; i++)
        {
            Start(i);
        }
    }

    public int Size => _nodes.Length;

    public Daemon? this[int node] => _nodes[node].Daemon;

    /// <summary>What stands in front of a node's socket: all that its peers send to it goes through there.</summary>
    public TcpRelay Relay(int node) => _nodes[node].Relay;

    public string AddressOf(int node) => _nodes[node].Address;

    public void Start(int node) => _nodes[node].Daemon = Daemon.Start(_scratch, _nodes[node].Space, Options(_nodes[node], Peers(_nodes[node])));

    public void Kill(int node)
    {
        _nodes[node].Daemon?.Dispose();
        _nodes[node].Daemon = null;
    }

    /// <summary>Takes a node's cable out, or puts it back.</summary>
    public void Connect(int node, bool connected) =>
        Shell.Check(_switch, "ip", "link", "set", $"port{node}", connected ? "up" : "down");

    public void Dispose()
    {
        foreach (Node node in _nodes)
        {
            node.Daemon?.Dispose();
            node.Relay.Dispose();
            node.Space.Dispose();
        }

        _switch.Dispose();
        _scratch.Dispose();
    }

    private Node MakeNode(int number)
    {
        NetSpace space = new();
        string address = $"10.88.0.{number + 1}";
        Shell.Check(_switch, "ip", "link", "add", $"port{number}", "type", "veth", "peer", "name", Lab.Interface, "netns", space.Path);
        Shell.Check(_switch, "ip", "link", "set", $"port{number}", "master", "br0", "up");
        Shell.Check(space, "ip", "address", "add", address + "/24", "dev", Lab.Interface);
        Shell.Check(space, "ip", "link", "set", Lab.Interface, "up");

        // The kernel asks for a neighbour's hardware address once a second: a node would stay out of reach for so long after its cable is back.
        Shell.Check(space, "sysctl", "-qw", $"net.ipv4.neigh.{Lab.Interface}.retrans_time_ms=20");
        string name = $"node{number}";
        return new Node(name, address, space, new TcpRelay(space, address, Port, _scratch[$"{name}/couic.sock"]));
    }

    private static DaemonOptions Options(Node node, string tables) => new() { Name = node.Name, Tables = tables };

    private string Peers(Node node) => _tables + "\n[peering]\nenabled = true\n" + string.Concat(_nodes.Where(o => o != node).Select(other => $"""

        [[peering.peers]]
        host = "{other.Address}"
        port = {Port}
        tls = false
        token = "{node.Tokens[other.Name]}"

        """));

    private sealed record Node(string Name, string Address, NetSpace Space, TcpRelay Relay)
    {
        public Dictionary<string, string> Tokens { get; } = [];

        public Daemon? Daemon { get; set; }
    }
}
