using System.Buffers;
using Couic.Peering;
using Couic.Store;

namespace Couic.Tests.Peering.Simulator;

/// <summary>
/// A node that is a peer of all others and lies to them in valid words: versions of any time, two things under one version,
/// floods of removals, leaves that are full, clocks that step, answers that are cut off or answer another question.
/// </summary>
internal sealed class SimLiar
{
    private readonly SimCluster _cluster;
    private readonly SimNode _self;
    private readonly Cidr[] _pool;
    private byte[] _lastAnswer = [];
    private int _invented;

    public SimLiar(SimCluster cluster, SimNode self, Cidr[] pool)
    {
        _cluster = cluster;
        _self = self;
        _pool = pool;
        self.Lie = Lie;
    }

    private Random Random => _cluster.World.Random;

    /// <summary>Sends something to each node, from now on until it is stopped.</summary>
    public void Start()
    {
        void Run()
        {
            if (_self.IsUp)
            {
                SendSomething();
                _cluster.World.After(_cluster.World.Uniform(0.01, 0.5), Run);
            }
        }

        Run();
    }

    private void SendSomething()
    {
        SimNode victim = _cluster.Nodes[Random.Next(_cluster.Nodes.Count)];
        if (victim == _self || !victim.IsUp)
        {
            return;
        }

        int count = Random.Next(4) == 0 ? Random.Next(2_000) : Random.Next(5);
        bool isAdd = Random.Next(2) == 0;
        IncomingJob[] jobs = [.. Enumerable.Range(0, count).Select(_ => NewJob(isAdd, victim))];
        victim.Engine.ApplyJobs(Policy.Drop, new IncomingBatch(jobs, Random.Next(3) == 0 ? NewMoment() : null), "liar"u8);
        var head = new SyncHead(
            (ulong)Random.NextInt64(), NewMoment().ToUnixTimeMilliseconds(), NewTime(victim), (ulong)Random.NextInt64(), uint.MaxValue, uint.MaxValue,
            Random.NextInt64(), victim.Engine.Node, (ulong)Random.NextInt64());
        victim.Engine.ServeSync(Policy.Drop, SyncMessage.Hello(head), new ArrayBufferWriter<byte>(), "liar");
    }

    private IncomingJob NewJob(bool isAdd, SimNode victim)
    {
        TimeSpan? left = Random.Next(3) switch { 0 => TimeSpan.FromMilliseconds(Random.NextInt64(9_000_000_000_000)), 1 => TimeSpan.FromSeconds(Random.Next(20)), _ => null };
        byte[] tag = Random.Next(2) == 0 ? [] : [(byte)Random.Next('a', 'e')];
        return new IncomingJob(isAdd, NewCidr(), tag, left is null ? 0 : (ulong)Random.NextInt64(), null, new RuleVersion(NewTime(victim), (ulong)Random.Next(3)), left);
    }

    private Cidr NewCidr() => Random.Next(3) switch
    {
        0 => _pool[Random.Next(_pool.Length)],
        1 => Colliding.Cidr(_invented++ % 20_000),
        _ => new Cidr(IpFamily.V6, 0x20010db8_00000000UL, (ulong)_invented++, 128),
    };

    private DateTimeOffset NewMoment() => Random.Next(4) switch
    {
        0 => DateTimeOffset.UnixEpoch,
        1 => DateTimeOffset.FromUnixTimeMilliseconds(253_402_300_799_999),
        2 => _self.Clock.GetUtcNow() + TimeSpan.FromHours(_cluster.World.Uniform(-23, 23)),
        _ => _self.Clock.GetUtcNow(),
    };

    /// <summary>Not near the bound itself: nodes whose clocks differ by seconds differ about that for so long.</summary>
    private ulong NewTime(SimNode victim)
    {
        ulong now = (ulong)victim.Clock.GetUtcNow().ToUnixTimeMilliseconds();
        return Random.Next(5) switch
        {
            0 => HybridClock.MaxTime - (ulong)Random.Next(2),
            1 => 1UL << Random.Next(63),
            2 => (now + (ulong)Random.NextInt64(23 * 3_600_000)) << 16,
            3 => (now + (ulong)Random.NextInt64(25 * 3_600_000, 1L << 40)) << 16,
            _ => (now - (ulong)Random.NextInt64(10_000)) << 16,
        };
    }

    /// <summary>What it answers in place of the truth.</summary>
    private PeerAnswer Lie(PeerVerb verb, ReadOnlyMemory<byte> question, PeerAnswer truth)
    {
        byte[] last = _lastAnswer;
        _lastAnswer = truth.Body.ToArray();
        switch (Random.Next(6))
        {
            case 0 when truth.Body.Length > 0:
                return truth with { Body = truth.Body[..Random.Next(truth.Body.Length)] };
            case 1:
                return truth with { Body = last };
            case 2 when verb == PeerVerb.Sync && question.Span[1] == (byte)SyncKind.Hello:
                var head = new SyncHead(
                    _self.Engine.Node, NewMoment().ToUnixTimeMilliseconds(), NewTime(_self), (ulong)Random.NextInt64(), 0, (uint)Random.Next(5_000), 5, _self.Engine.Node);
                var output = new ArrayBufferWriter<byte>();
                var hashes = new ulong[DigestTree.Branches];
                hashes[Random.Next(hashes.Length)] = 1;
                SyncMessage.WriteHelloAnswer(output, head, hashes);
                return truth with { Body = output.WrittenMemory };
            case 3 when verb == PeerVerb.Sync && question.Span[1] is (byte)SyncKind.Leaves or (byte)SyncKind.Parts:
                return truth with { Body = NewRecords((SyncKind)question.Span[1]) };
            case 4:
                return truth with { Status = 400 + Random.Next(200), Body = default };
            default:
                return truth;
        }
    }

    private byte[] NewRecords(SyncKind kind)
    {
        var output = new ArrayBufferWriter<byte>();
        int end = kind == SyncKind.Leaves ? DigestTree.Leaves : KeyedParts.Count;
        int next = Random.Next(3) == 0 && kind == SyncKind.Leaves ? Random.Next(end) | SyncRecords.Crowded : Random.Next(end + 1);
        SyncRecords.WriteHead(output.GetSpan(SyncRecords.HeadBytes), next, NewMoment(), kind);
        output.Advance(SyncRecords.HeadBytes);
        for (int i = Random.Next(200); i > 0; i--)
        {
            IncomingJob job = NewJob(Random.Next(2) == 0, _self);
            var state = (RegisterState)(job.IsAdd ? 0 : Random.Next(1, 3));
            RegisterCodec.Write(output, new OutgoingJob(job.Cidr, job.Version!.Value, state, job.Tag, job.TimeToLive is null ? 0 : 1UL, job.TimeToLive, false, default), withReason: true);
        }

        return output.WrittenSpan.ToArray();
    }
}
