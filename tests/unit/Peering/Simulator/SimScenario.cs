using Couic.Store;

namespace Couic.Tests.Peering.Simulator;

/// <summary>
/// The story of a seed: many changes on random nodes while connections are cut and restored, nodes crash and start again, wall clocks
/// step, data planes refuse changes, segments get lost and requests are doubled; then everything heals, and within a second all nodes
/// must agree. In one story of three data planes refuse; its nodes have three seconds, as a comparison has to find what was refused.
/// </summary>
internal sealed class SimScenario
{
    private readonly SimCluster _cluster;
    private readonly SimWorld _world;
    private readonly Cidr[] _pool;
    private readonly HashSet<int> _stepped = [];
    private readonly bool _refuses;
    private string? _fault;

    /// <param name="keeps">Whether nodes keep their rules over a crash. A clock that is set while a node is down prolongs its rules, so none is.</param>
    public SimScenario(int seed, int nodes, bool keeps = false)
        : this(seed, skew => new SimCluster(seed, nodes, maxSkewSeconds: skew), keeps)
    {
    }

    /// <param name="cluster">Makes the cluster, with clocks that differ by at most these seconds.</param>
    public SimScenario(int seed, Func<double, SimCluster> cluster, bool keeps = false)
    {
        var shape = new Random(seed);
        _cluster = cluster(shape.Next(3) switch { 0 => 0, 1 => 4, _ => 3_600 });
        _cluster.KeepsRules = keeps;
        _world = _cluster.World;
        _refuses = shape.Next(3) == 0 && _cluster.MayRefuse;
        _healing = _cluster.Broker is null ? null : 12;
        _pool = [.. Enumerable.Range(0, shape.Next(5, 120)).Select(NewCidr)];
    }

    public SimCluster Cluster => _cluster;

    /// <returns>Null when all went well, else what did not.</returns>
    public string? Run(int changes, double seconds)
    {
        _cluster.StartAll();
        _cluster.Network.Loss = _world.Chance(0.5) ? _world.Uniform(0, 0.3) : 0;
        _cluster.Network.Ghosts = _world.Chance(0.5) ? _world.Uniform(0, 0.1) : 0;
        _cluster.Network.MaxDelay = _world.Uniform(0.001, 0.3);
        for (int i = 0; i < changes; i++)
        {
            _world.After(_world.Uniform(0, seconds), Change);
        }

        int faults = _world.Random.Next(1, 30);
        for (int i = 0; i < faults; i++)
        {
            _world.After(_world.Uniform(0, seconds), BreakSomething);
        }

        if (_cluster.Broker is { } broker)
        {
            broker.Loss = _world.Chance(0.5) ? _world.Uniform(0, 0.2) : 0;
            broker.Doubles = _world.Chance(0.5) ? _world.Uniform(0, 0.1) : 0;
            broker.MaxDelay = _world.Uniform(0.001, 0.3);
            for (int i = _world.Random.Next(1, 10); i > 0; i--)
            {
                _world.After(_world.Uniform(0, seconds), () => BreakBus(broker));
            }
        }

        for (double at = 1; at < seconds; at += 1)
        {
            _world.After(at, () => _fault ??= _cluster.Overdue());
        }

        _cluster.Run(seconds);
        Heal();
        _cluster.Run(_healing ?? (_refuses ? 3 : 1));
        return _fault ?? _cluster.Fault();
    }

    /// <summary>Seconds after which all must agree; null for the usual ones.</summary>
    private readonly double? _healing;

    /// <summary>The broker goes away, a node loses it, or the stream is deleted.</summary>
    private void BreakBus(SimBroker broker)
    {
        double lasting = Math.Pow(10, _world.Uniform(-1, 1.5));
        int node = _world.Random.Next(_cluster.Nodes.Count);
        switch (_world.Random.Next(4))
        {
            case 0:
                broker.Stop();
                _world.After(lasting, broker.Restart);
                break;
            case 1:
                broker.DeleteLog();
                break;
            default:
                _cluster.Network.Cut(node, SimCluster.BrokerNumber);
                _world.After(lasting, () => _cluster.Network.Mend(node, SimCluster.BrokerNumber));
                break;
        }
    }

    private void Heal()
    {
        _cluster.Broker?.Heal();
        _cluster.Network.Heal();
        foreach (SimNode node in _cluster.Nodes)
        {
            node.Refusals = 0;
            if (!node.IsUp)
            {
                node.Start();
            }
        }
    }

    private void Change()
    {
        SimNode node = _cluster.Nodes[_world.Random.Next(_cluster.Nodes.Count)];
        if (!node.IsUp)
        {
            return;
        }

        Cidr cidr = _pool[_world.Random.Next(_pool.Length)];
        if (_world.Chance(0.35))
        {
            node.Remove(cidr);
            return;
        }

        ulong now = (ulong)node.Clock.GetUtcNow().ToUnixTimeSeconds();
        ulong expiration = _world.Chance(0.5) ? 0 : now + (ulong)_world.Random.Next(1, _world.Chance(0.5) ? 10 : 300);
        node.Add(cidr, _world.Chance(0.5) ? string.Empty : $"tag{_world.Random.Next(7)}", expiration, update: _world.Chance(0.5));
    }

    private void BreakSomething()
    {
        double lasting = Math.Pow(10, _world.Uniform(-1, 2));
        int a = _world.Random.Next(_cluster.Nodes.Count), b = _world.Random.Next(_cluster.Nodes.Count);
        switch (_world.Random.Next(7))
        {
            case 0:
                Crash(_cluster.Nodes[a], lasting);
                break;
            case 1 when _refuses:
                Refuse(_cluster.Nodes[a], lasting);
                break;
            case 2 when !_cluster.KeepsRules:
                StepClock(_cluster.Nodes[a], lasting);
                break;
            case 3:
                Split(lasting);
                break;
            default:
                _cluster.Network.Cut(a, b);
                _world.After(lasting, () => _cluster.Network.Mend(a, b));
                break;
        }
    }

    /// <summary>Hours back or ahead, one step at a time for each node. All clocks stay within the twelve hours that a node follows.</summary>
    private void StepClock(SimNode node, double lasting)
    {
        if (!_stepped.Add(node.Number))
        {
            return;
        }

        var step = TimeSpan.FromHours(_world.Uniform(-5, 5));
        node.Clock.Step(step);
        _world.After(lasting, () =>
        {
            node.Clock.Step(-step);
            _stepped.Remove(node.Number);
        });
    }

    private void Refuse(SimNode node, double lasting)
    {
        node.Refusals = _world.Uniform(0.1, 1);
        _world.After(lasting, () => node.Refusals = 0);
    }

    private void Crash(SimNode node, double lasting)
    {
        if (node.IsUp)
        {
            node.Crash();
            int incarnation = node.Incarnation;
            _world.After(lasting, () =>
            {
                if (!node.IsUp && node.Incarnation == incarnation)
                {
                    node.Start();
                }
            });
        }
    }

    /// <summary>Two halves that do not see each other.</summary>
    private void Split(double lasting)
    {
        bool[] side = [.. _cluster.Nodes.Select(_ => _world.Chance(0.5))];
        var cut = new List<(int, int)>();
        for (int a = 0; a < side.Length; a++)
        {
            for (int b = a + 1; b < side.Length; b++)
            {
                if (side[a] != side[b])
                {
                    cut.Add((a, b));
                    _cluster.Network.Cut(a, b);
                }
            }
        }

        _world.After(lasting, () => cut.ForEach(pair => _cluster.Network.Mend(pair.Item1, pair.Item2)));
    }

    private static Cidr NewCidr(int number) => number % 3 == 0
        ? new Cidr(IpFamily.V6, 0x20010db8_00000000UL + (ulong)number, (ulong)number << 8, 128)
        : Cidr.FromV4(0x0a000000u + ((uint)number << 8), 24 + (number % 9)).Network;
}
