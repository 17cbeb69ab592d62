using System.Buffers;
using Couic.Peering;
using Couic.Store;

namespace Couic.Tests.Peering.Simulator;

/// <summary>The requests of one incarnation of a node, carried over the network of the simulator.</summary>
internal sealed class SimTransport(SimCluster cluster, SimNode owner) : IPeerTransport
{
    private static readonly double[] ClientRetries = [0.2, 0.6];
    private static readonly double[] ServerRetries = [0.2, 0.6, 1.4, 3.0];
    private readonly int _incarnation = owner.Incarnation;
    private readonly SimWorld _world = cluster.World;
    private readonly SimNetwork _network = cluster.Network;

    private bool IsAlive => owner.IsUp && owner.Incarnation == _incarnation;

    public void Post(PeerRequest request)
    {
        int to = SimCluster.NumberOf(request.Peer);
        byte[] body = request.Body.ToArray();
        cluster.Traffic.Add(owner.Number, to, body.Length);
        bool done = false;
        void Finish(PeerAnswer answer)
        {
            if (!done && IsAlive)
            {
                done = true;
                SimCluster.OnAnswer(owner, request, answer);
                request.Done(answer);
            }
        }

        void Unreachable() => Finish(new PeerAnswer(PeerFailure.Unreachable, 0, default, "connection lost"));

        Action arrive = () => Arrive(request, to, body, Finish, Unreachable);
        _network.Send(owner.Number, to, ClientRetries, 0.75, arrive, Unreachable);
        if (_world.Chance(_network.Ghosts))
        {
            _world.After(_world.Uniform(0.5, 10), () => Arrive(request, to, body, _ => { }, () => { }));
        }

        Watch(to, false, () => done, Unreachable);
        _world.After(5, () => Finish(new PeerAnswer(PeerFailure.TimedOut, 0, default, "no answer within 5 s")));
    }

    public void AwaitReachable(PeerSettings peer, Action<bool> reachable)
    {
        int to = SimCluster.NumberOf(peer);
        Probe(false);

        void Probe(bool wasAway)
        {
            if (!IsAlive)
            {
                return;
            }

            if (_network.IsConnected(owner.Number, to) && cluster.Nodes[to].IsUp && !_world.Chance(_network.Loss))
            {
                _world.After(_world.Uniform(0.0004, 2 * _network.MaxDelay), () =>
                {
                    if (IsAlive)
                    {
                        reachable(wasAway);
                    }
                });
            }
            else
            {
                _world.After(0.25, () => Probe(true));
            }
        }
    }

    public void Forget(PeerSettings peer)
    {
    }

    /// <summary>While an answer is awaited the path is probed: one that was cut and is there again ends the wait.</summary>
    private void Watch(int to, bool wasCut, Func<bool> isDone, Action lost) => _world.After(0.25, () =>
    {
        bool connected = _network.IsConnected(owner.Number, to);
        if (isDone() || !IsAlive)
        {
            return;
        }

        if (connected && (wasCut || !cluster.Nodes[to].IsUp))
        {
            lost();
        }
        else
        {
            Watch(to, wasCut || !connected, isDone, lost);
        }
    });

    private void Arrive(PeerRequest request, int to, byte[] body, Action<PeerAnswer> finish, Action refused)
    {
        SimNode node = cluster.Nodes[to];
        if (!node.IsUp)
        {
            _network.Send(to, owner.Number, ServerRetries, 5, refused, null);
            return;
        }

        PeerAnswer answer = node.Serve(request.Policy, request.Verb, body);
        cluster.Traffic.Add(to, owner.Number, answer.Body.Length);
        void Reply() => _network.Send(to, owner.Number, ServerRetries, 5, () => finish(answer), null);
        if (_network.SlowAnswers == (to, owner.Number) && answer.Body.Length > 4_200)
        {
            _world.After(4, Reply); // more than hashes
        }
        else
        {
            Reply();
        }
    }
}
