using Couic.Bus;
using Couic.Peering;
using Couic.Store;

namespace Couic.Tests.Peering.Simulator;

/// <summary>Some nodes, each a peer of every other, and a judge who hears everything and forgets nothing.</summary>
internal sealed class SimCluster
{
    private readonly Dictionary<RuleVersion, long?> _deadlines = [];
    private readonly Dictionary<RuleVersion, long> _madeAt = [];

    public SimCluster(int seed, int nodes, double maxSkewSeconds = 0, StoreLimits? limits = null)
        : this(new SimWorld(seed), nodes, maxSkewSeconds, limits)
    {
    }

    public SimCluster(SimWorld world, int nodes, double maxSkewSeconds = 0, StoreLimits? limits = null)
    {
        World = world;
        Network = new SimNetwork(World);
        Limits = limits ?? StoreLimits.Default;
        Nodes = [.. Enumerable.Range(0, nodes).Select(
            n => new SimNode(this, n, TimeSpan.FromSeconds(World.Uniform(-maxSkewSeconds, maxSkewSeconds) / 2)))];
    }

    /// <param name="skews">Seconds by which each node's clock is off.</param>
    public SimCluster(int seed, int[] skews)
    {
        World = new SimWorld(seed);
        Network = new SimNetwork(World);
        Limits = StoreLimits.Default;
        Nodes = [.. skews.Select((skew, n) => new SimNode(this, n, TimeSpan.FromSeconds(skew)))];
    }

    /// <summary>The broker's number in the network.</summary>
    public const int BrokerNumber = -1;

    public SimWorld World { get; }

    /// <summary>The broker of nodes that have a bus; null without one.</summary>
    public SimBroker? Broker { get; init; }

    /// <summary>The nodes that are peers of each other, and those that have the bus.</summary>
    public Func<int, int, bool> ArePeers { get; init; } = (_, _) => true;

    /// <summary>False for a mesh so small that a removal may be lost: its only peer refuses it, and then its node crashes.</summary>
    public bool MayRefuse { get; init; } = true;

    public Func<int, bool> HasBus { get; init; } = _ => false;

    public SimNetwork Network { get; }

    public SimTraffic Traffic { get; } = new();

    public StoreLimits Limits { get; }

    /// <summary>Whether nodes have a journal, of which a crash leaves what was synced and a part of the rest.</summary>
    public bool KeepsRules { get; set; }

    public IReadOnlyList<SimNode> Nodes { get; }

    public static int NumberOf(PeerSettings peer) => peer.Port;

    public PeeringSettings SettingsFor(int node) => new(
        true, [Policy.Drop],
        [.. Nodes.Where(n => n.Number != node && ArePeers(node, n.Number)).Select(n => new PeerSettings($"node{n.Number}", n.Number, false, Guid.Empty))])
    {
        Bus = HasBus(node) ? new BusPlan(new BusSettings("nats://broker:4222"), [Policy.Drop]) : null,
    };

    public void StartAll()
    {
        foreach (SimNode node in Nodes)
        {
            node.Start();
        }
    }

    public void Run(double seconds) => World.RunUntil(World.Now + SimWorld.Nanoseconds(seconds));

    /// <param name="expiration">By the node's clock, 0 for never; null for a removal.</param>
    public void OnLocalChange(SimNode node, Cidr cidr, ulong? expiration)
    {
        node.Index.TryGet(cidr, out OutgoingJob record, out _);
        node.Hear(cidr, record.Version);
        _madeAt[record.Version] = World.Now;
        _deadlines[record.Version] = expiration switch
        {
            null => null,
            0 => long.MaxValue,
            { } e => World.Now + SimWorld.Nanoseconds((DateTimeOffset.FromUnixTimeSeconds((long)e) - node.Clock.GetUtcNow()).TotalSeconds),
        };
    }

    public static void OnAnswer(SimNode node, PeerRequest request, PeerAnswer answer)
    {
        var records = new List<RemoteChange>();
        if (request.Verb == PeerVerb.Sync && request.Body.Span[1] == (byte)SyncKind.Leaves && answer.IsSuccess
            && SyncRecords.TryRead(answer.Body.Span, out _, out _, records))
        {
            foreach (RemoteChange record in records)
            {
                node.Hear(record.Cidr, record.Version!.Value);
            }
        }
    }

    /// <summary>A node reads a message of the bus.</summary>
    public static void OnBus(SimNode node, in BusMessage message)
    {
        if (BusRegister.Read(message, [], out _, out RemoteChange change, out _) == BusReading.Good)
        {
            node.Hear(change.Cidr, change.Version!.Value);
        }
    }

    /// <summary>
    /// What is wrong, if anything: each CIDR must be what the latest change says that any living node has heard of, on
    /// every node, give or take two seconds about its expiry. A change may have taken the place of one with a later version
    /// that was dead by then and forgotten: a node with a slow clock, started anew, makes such before it meets the others.
    /// </summary>
    public string? Fault()
    {
        var latest = new Dictionary<Cidr, RuleVersion>();
        foreach (SimNode node in Nodes.Where(n => n.IsUp))
        {
            foreach ((Cidr cidr, RuleVersion version) in node.Heard)
            {
                if (!latest.TryGetValue(cidr, out RuleVersion known) || known < version)
                {
                    latest[cidr] = version;
                }
            }
        }

        foreach ((Cidr cidr, RuleVersion version) in latest.ToArray())
        {
            if (Successor(cidr, version) is { } successor)
            {
                latest[cidr] = successor;
            }
        }

        foreach (SimNode node in Nodes.Where(n => n.IsUp))
        {
            foreach ((Cidr cidr, RuleVersion version) in latest)
            {
                if (FaultOf(node, cidr, version) is { } fault)
                {
                    return fault + Environment.NewLine + string.Join(Environment.NewLine, Nodes.Select(n => Describe(n, cidr)));
                }
            }

            foreach (Cidr cidr in node.Store.SortedNetworks(Policy.Drop))
            {
                if (!latest.ContainsKey(cidr))
                {
                    return $"node {node.Number}: {cidr} out of nowhere";
                }
            }
        }

        return null;
    }

    /// <summary>The latest change in force anywhere, if it was made when the given one was dead already.</summary>
    private RuleVersion? Successor(Cidr cidr, RuleVersion version)
    {
        long diedAt = _deadlines[version] ?? _madeAt[version];
        RuleVersion? latest = null;
        foreach (SimNode node in Nodes.Where(n => n.IsUp))
        {
            if (node.Index.TryGet(cidr, out OutgoingJob record, out _) && record.State == RegisterState.Live
                && _madeAt[record.Version] > diedAt && (latest is null || latest < record.Version))
            {
                latest = record.Version;
            }
        }

        return latest;
    }

    private string Describe(SimNode node, Cidr cidr)
    {
        string record = node.Index.TryGet(cidr, out OutgoingJob job, out RegisterFlags flags) ? $"{job.Version} {job.State} {flags}" : "-";
        IEnumerable<string> sessions = node.Engine.Sessions.Select(session => $"{session.Settings.Host}: {session.Describe()}");
        return $"node {node.Number} start {node.Incarnation} at {World.Now / 1e9:F3}: {record}; " + string.Join("; ", sessions);
    }

    /// <summary>
    /// A rule that is in force on some node more than two seconds after its time, whatever else happens. A data plane that has just refused
    /// a removal has another two seconds.
    /// </summary>
    public string? Overdue()
    {
        foreach (SimNode node in Nodes.Where(n => n.IsUp && n.RefusedAt < World.Now - 2_000_000_000))
        {
            foreach (Cidr cidr in node.Store.SortedNetworks(Policy.Drop))
            {
                // An entry that lost against a later word whose time has come is gone for everybody but the store's timer.
                if (node.Index.TryGet(cidr, out OutgoingJob record, out _)
                    && (record.State == RegisterState.Live || node.Store.TryGet(Policy.Drop, cidr, out _))
                    && _deadlines.TryGetValue(record.Version, out long? deadline)
                    && deadline is { } end && end < World.Now - 2_000_000_000)
                {
                    return $"node {node.Number}: {cidr} outlives its time by {(World.Now - end) / 1e9:F3} s";
                }
            }
        }

        return null;
    }

    private string? FaultOf(SimNode node, Cidr cidr, RuleVersion version)
    {
        const long Tolerance = 2_000_000_000;
        long? deadline = _deadlines[version];
        bool present = node.Store.TryGet(Policy.Drop, cidr, out _);
        bool known = node.Index.TryGet(cidr, out OutgoingJob record, out _);
        string state = known ? $"{record.State} {record.Version}" : "unknown";
        if (deadline is null or < 0 && present)
        {
            return $"node {node.Number}: {cidr} lives though removed by {version} ({state})";
        }

        if (deadline is { } end)
        {
            if (present && end < World.Now - Tolerance)
            {
                return $"node {node.Number}: {cidr} lives {(World.Now - end) / 1e9:F3} s too long ({state}, want {version})";
            }

            if (!present && end > World.Now + Tolerance)
            {
                return $"node {node.Number}: {cidr} is missing ({state}, want {version})";
            }

            if (present && end > World.Now + Tolerance && record.Version != version)
            {
                return $"node {node.Number}: {cidr} is an older one ({state}, want {version})";
            }
        }

        return null;
    }
}
