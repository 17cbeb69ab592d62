using System.Buffers;
using System.Text;
using Couic.Journal;
using Couic.Peering;
using Couic.Store;
using Couic.Tests.Fakes;
using Couic.Tests.Journal;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Couic.Tests.Peering.Simulator;

/// <summary>One node: the store and the peering of the daemon on clocks and a network that the simulator makes.</summary>
internal sealed class SimNode
{
    private readonly SimCluster _cluster;

    public SimNode(SimCluster cluster, int number, TimeSpan skew)
    {
        _cluster = cluster;
        Number = number;
        Clock = new SimClock(cluster.World, skew);
        Store = null!;
        Engine = null!;
    }

    public int Number { get; }

    public SimClock Clock { get; }

    /// <summary>Of those that start from now on.</summary>
    public ILogger Log { get; set; } = NullLogger.Instance;

    /// <summary>What it knows beyond the wire format of couic 2.0, from its next start on.</summary>
    public SyncFeatures Features { get; set; } = SyncFeatures.Reasons;

    /// <summary>Chance that the data plane refuses a change.</summary>
    public double Refusals { get; set; }

    /// <summary>When the data plane refused last.</summary>
    public long RefusedAt { get; private set; } = long.MinValue / 2;

    /// <summary>The journal's, which survives a crash; null for none.</summary>
    public MemoryPlace? Disk { get; private set; }

    /// <summary>Counts starts.</summary>
    public int Incarnation { get; private set; }

    public bool IsUp { get; private set; }

    public RuleStore Store { get; private set; }

    public PeeringEngine Engine { get; private set; }

    /// <summary>The latest version per CIDR that ever reached this incarnation: what an endless memory would know.</summary>
    public Dictionary<Cidr, RuleVersion> Heard { get; } = [];

    public RegisterTable Index => Engine.IndexOf(Policy.Drop)!;

    public void Start()
    {
        IsUp = true;
        Incarnation++;
        Heard.Clear();
        StoreLimits limits = _cluster.Limits;
        Store = new RuleStore(new ModelPlane(limits) { Checks = false, Refuses = _ => IsRefused() }, limits, Clock);
        ulong id = (ulong)_cluster.World.Random.NextInt64(), key = (ulong)_cluster.World.Random.NextInt64();
        Engine = new PeeringEngine(Store, new SimTransport(_cluster, this), Clock, new Random(_cluster.World.Random.Next()), Log, id, key, _ => new SimBus(_cluster, this, _cluster.Broker!)) { Features = Features };
        RuleJournal? journal = null;
        if (_cluster.KeepsRules)
        {
            Disk = new MemoryPlace(Disk?.AfterPowerFailure(_cluster.World.Random));
            journal = new RuleJournal(Store, Disk, Engine, Clock, Log, id);
        }

        Engine.Reconfigure(_cluster.SettingsFor(Number));
        if (journal is not null)
        {
            journal.Restore();
            for (int slot = 0; slot < Index.UsedSlots; slot++)
            {
                if (Index.TryRead(slot, out OutgoingJob restored))
                {
                    Hear(restored.Cidr, restored.Version);
                }
            }

            Repeat(_cluster.World.Uniform(0, 0.25), 0.25, journal.Writer.Tick);
        }

        Repeat(_cluster.World.Uniform(0, 0.25), 0.25, Engine.Tick);
        Repeat(_cluster.World.Uniform(0, 1), 1, () => Store.Expire());
    }

    /// <summary>As <c>kill -9</c>: nothing is flushed.</summary>
    public void Crash() => IsUp = false;

    public void Add(Cidr cidr, string tag, ulong expiration, bool update)
    {
        StoreOutcome outcome = Store.Add(
            Policy.Drop, cidr, Encoding.UTF8.GetBytes(tag), expiration, update ? ConflictMode.Update : ConflictMode.Refuse,
            new ChangeContext(ChangeOrigin.Api, "tester"u8), out _);
        if (outcome is StoreOutcome.Created or StoreOutcome.Updated)
        {
            _cluster.OnLocalChange(this, cidr, expiration);
        }
    }

    public void Remove(Cidr cidr)
    {
        if (Store.Remove(Policy.Drop, cidr, new ChangeContext(ChangeOrigin.Api, "tester"u8), out _) == StoreOutcome.Removed)
        {
            _cluster.OnLocalChange(this, cidr, null);
        }
    }

    public void Hear(Cidr cidr, RuleVersion version)
    {
        if (!Heard.TryGetValue(cidr, out RuleVersion known) || known < version)
        {
            Heard[cidr] = version;
        }
    }

    /// <summary>What the node answers in place of the truth; null for an honest one.</summary>
    public Func<PeerVerb, ReadOnlyMemory<byte>, PeerAnswer, PeerAnswer>? Lie { get; set; }

    public PeerAnswer Serve(Policy policy, PeerVerb verb, ReadOnlyMemory<byte> body)
    {
        PeerAnswer answer = ServeTruly(policy, verb, body);
        return Lie is null ? answer : Lie(verb, body, answer);
    }

    private PeerAnswer ServeTruly(Policy policy, PeerVerb verb, ReadOnlyMemory<byte> body)
    {
        var output = new ArrayBufferWriter<byte>();
        if (verb == PeerVerb.Sync)
        {
            if (Features == SyncFeatures.None && body.Span[0] != SyncMessage.Version)
            {
                throw new InvalidOperationException($"node {Number} of 2.0 is sent a message of version {body.Span[0]}");
            }

            SyncOutcome outcome = Engine.ServeSync(policy, body.Span, output);
            return outcome == SyncOutcome.Malformed
                ? throw new InvalidOperationException($"node {Number} is sent a message that is none")
                : new PeerAnswer(PeerFailure.None, outcome switch { SyncOutcome.Answered => 200, SyncOutcome.ClockOff => 422, _ => 401 }, output.WrittenMemory);
        }

        if (PeerJobReader.TryRead(body, out IncomingBatch batch, out _) != PeerBodyFault.None)
        {
            return new PeerAnswer(PeerFailure.None, 422, default);
        }

        foreach (IncomingJob job in batch.Jobs)
        {
            if (job.Version is { } version)
            {
                Hear(job.Cidr, version);
            }
        }

        Engine.ApplyJobs(policy, batch, "peer"u8);
        return new PeerAnswer(PeerFailure.None, 204, default);
    }

    private bool IsRefused()
    {
        if (Refusals == 0 || !_cluster.World.Chance(Refusals))
        {
            return false;
        }

        RefusedAt = _cluster.World.Now;
        return true;
    }

    private void Repeat(double first, double period, Action action)
    {
        int incarnation = Incarnation;
        void Run()
        {
            if (IsUp && Incarnation == incarnation)
            {
                action();
                _cluster.World.After(period, Run);
            }
        }

        _cluster.World.After(first, Run);
    }
}
