using Couic.Bus;
using Couic.Peering;
using Couic.Store;
using Couic.Tests.Fakes;
using Couic.Tests.Peering.Simulator;
using Couic.Tests.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Couic.Tests.Peering;

/// <summary>Nodes on a bus alone: joining, absence, and logs that lose what they had acknowledged.</summary>
public class BusSessionTests
{
    private static readonly Cidr Rule = Cidr.FromV4(0x0a000001, 32), Other = Cidr.FromV4(0x0a000002, 32);

    private readonly SimCluster _cluster = Bus(3);

    [Fact]
    public void AChangeIsOnEveryNodeWithinASecond()
    {
        Run(2);
        _cluster.Nodes[0].Add(Rule, "tag", 0, update: false);
        Run(1);
        AssertHolds(Rule, true);
        _cluster.Nodes[2].Remove(Rule);
        Run(1);
        AssertHolds(Rule, false);
    }

    [Fact]
    public void ARuleThatChangesOftenIsPublishedOncePerTick()
    {
        Run(2);
        for (int i = 0; i < 10; i++)
        {
            _cluster.Nodes[0].Add(Rule, $"tag{i}", 0, update: true);
        }

        Run(1);
        Assert.Equal(1, Status(0).Counters.Published);
        Assert.Equal((0, BusState.Live), (Status(0).Marked, Status(0).State));
    }

    [Fact]
    public void ANodeThatStartsReadsTheWholeLog()
    {
        Run(2);
        _cluster.Nodes[0].Add(Rule, "", 0, update: false);
        Run(1);
        _cluster.Nodes.ToList().ForEach(node => node.Crash());
        _cluster.Nodes[1].Start();
        Run(1);
        Assert.True(Holds(1, Rule)); // no other node is up: the log has it
    }

    [Fact]
    public void WhatChangedWhileTheBrokerWasAwayForAnHourIsPublishedAfterIt()
    {
        Run(2);
        _cluster.Nodes[0].Add(Rule, "", 0, update: false);
        Run(1);
        _cluster.Broker!.Stop();
        Run(1);
        _cluster.Nodes[0].Remove(Rule);
        _cluster.Nodes[1].Add(Other, "", 0, update: false);
        Run(3_600);
        Assert.Equal((1, BusState.Unreachable), (Status(1).Marked, Status(1).State));
        _cluster.Broker.Restart();
        Run(7);
        AssertHolds(Rule, false);
        AssertHolds(Other, true);
    }

    [Fact]
    public void ARuleThatWasRemovedAndForgottenWhileANodeWasAwayDoesNotReturn()
    {
        Run(2);
        _cluster.Nodes[0].Add(Rule, "", 0, update: false);
        _cluster.Nodes[2].Add(Other, "", 0, update: false);
        Run(2);
        _cluster.Network.Cut(2, SimCluster.BrokerNumber);
        Run(20);
        _cluster.Nodes[0].Remove(Rule);
        Run(2 * 3_600);
        Assert.True(Holds(2, Rule));
        Assert.Equal(1, _cluster.Broker!.Messages); // its tombstone has left the log
        _cluster.Network.Mend(2, SimCluster.BrokerNumber);
        Run(7);
        AssertHolds(Rule, false);
        AssertHolds(Other, true);
        Assert.Equal(1, Status(2).Counters.Swept);
    }

    [Fact]
    public void TombstonesOfNodesThatAreGoneLeaveTheLogToo()
    {
        Run(2);
        _cluster.Nodes[0].Add(Rule, "", 0, update: false);
        Run(1);
        _cluster.Nodes[0].Remove(Rule);
        Run(1);
        _cluster.Nodes[0].Crash();
        Run(3_600);
        Assert.Equal(1, _cluster.Broker!.Messages);
        Run(3 * 3_600);
        Assert.Equal(0, _cluster.Broker.Messages);
    }

    [Fact]
    public void ALogThatWasCreatedAgainIsFilledByTheNodes()
    {
        Run(2);
        _cluster.Nodes[0].Add(Rule, "", 0, update: false);
        _cluster.Nodes[1].Add(Other, "", 0, update: false);
        Run(1);
        _cluster.Nodes[0].Crash(); // the node that made it
        _cluster.Broker!.DeleteLog();
        Run(10);
        Assert.Equal(2, _cluster.Broker.Messages);
        _cluster.Nodes[0].Start();
        Run(1);
        AssertHolds(Rule, true);
        AssertHolds(Other, true);
    }

    [Fact]
    public void WhatWasDeletedFromTheLogByHandIsPublishedAgain()
    {
        Run(2);
        _cluster.Nodes[0].Add(Rule, "", 0, update: false);
        _cluster.Nodes[0].Add(Other, "", 0, update: false);
        Run(11);
        _cluster.Broker!.From(1, 10).ForEach(message => _cluster.Broker.Delete(message.Sequence));
        Run(30);
        Assert.Equal(2, _cluster.Broker.Messages);
        AssertHolds(Rule, true);
    }

    [Fact]
    public void AnOlderValueThatComesLateIsRepaired()
    {
        Run(2);
        _cluster.Nodes[0].Add(Rule, "old", 0, update: false);
        Run(1);
        BusMessage old = _cluster.Broker!.From(1, 1)[0];
        _cluster.Nodes[1].Remove(Rule);
        Run(1);
        _cluster.Broker.Store(new BusValue(old.Key, old.Value!.Value));
        Run(1);
        AssertHolds(Rule, false);
        _cluster.Nodes[2].Crash();
        _cluster.Nodes[2].Start();
        Run(1);
        AssertHolds(Rule, false);
    }

    [Fact]
    public void GarbageAndLaterVersionsAreCountedAndChangeNothing()
    {
        Run(2);
        _cluster.Nodes[0].Add(Rule, "", 0, update: false);
        Run(1);
        string key = _cluster.Broker!.From(1, 1)[0].Key;
        _cluster.Broker.Store(new BusValue("drop.4.0a000003.32", new byte[] { 1, 3, 9 }));
        _cluster.Broker.Store(new BusValue("drop.4.0a000004.32", new byte[] { 2, 0, 1 }));
        _cluster.Broker.Store(new BusValue(key, new byte[] { 2, 0, 1 }));
        Run(30);
        AssertHolds(Rule, true);
        BusCounters counters = Status(1).Counters;
        Assert.Equal(2, counters.LaterVersion);
        Assert.Equal(1, counters.Malformed);
        Assert.Equal(new byte[] { 2, 0, 1 }, _cluster.Broker.From(1, 10).Last(message => message.Key == key).Value!.Value.ToArray());
    }

    /// <summary>The wall clocks of these nodes differ by up to an hour; the broker's is years away from all.</summary>
    [Fact]
    public void ATimeLimitIsKeptByTheClockOfTheLog()
    {
        SimCluster cluster = Bus(3, skew: 3_600);
        cluster.Run(2);
        SimNode maker = cluster.Nodes[0];
        maker.Add(Rule, "", (ulong)maker.Clock.GetUtcNow().ToUnixTimeSeconds() + 100, update: false);
        cluster.Run(50);
        cluster.Nodes[1].Crash();
        cluster.Nodes[1].Start();
        cluster.Run(46);
        Assert.All(cluster.Nodes, node => Assert.True(node.Store.TryGet(Policy.Drop, Rule, out _)));
        cluster.Run(8);
        Assert.All(cluster.Nodes, node => Assert.False(node.Store.TryGet(Policy.Drop, Rule, out _)));
    }

    [Fact]
    public void ABusThatIsSwitchedOffLeavesTheRules()
    {
        Run(2);
        _cluster.Nodes[0].Add(Rule, "", 0, update: false);
        Run(1);
        _cluster.Nodes[1].Engine.Reconfigure(PeeringSettings.Off);
        _cluster.Nodes[0].Remove(Rule);
        Run(2);
        Assert.True(Holds(1, Rule));
        Assert.Null(_cluster.Nodes[1].Engine.Bus);
        _cluster.Nodes[1].Engine.Reconfigure(_cluster.SettingsFor(1));
        Run(7);
        Assert.Equal(BusState.Live, Status(1).State);
    }

    [Fact]
    public void ALogThatIsEmptiedWhileItIsReadIsReadToItsEnd()
    {
        Run(2);
        _cluster.Nodes[0].Add(Rule, "", 0, update: false);
        Run(1);
        _cluster.Nodes[2].Crash();
        _cluster.Nodes[2].Start();
        for (int i = 0; i < 20_000 && Status(2) is not { State: BusState.Reading, Pending: > 0 }; i++)
        {
            Run(0.0001);
        }

        Assert.Equal((BusState.Reading, 1UL), (Status(2).State, Status(2).Pending));
        _cluster.Broker!.From(1, 10).ForEach(message => _cluster.Broker.Delete(message.Sequence));
        _cluster.Nodes[0].Crash(); // nothing is written to the log that would be delivered
        _cluster.Nodes[1].Crash();
        Run(21);
        Assert.Equal(BusState.Live, Status(2).State);
    }

    [Fact]
    public void NothingIsSentBeforeTheFirstTick()
    {
        var clock = new ManualClock();
        var store = new RuleStore(new ModelPlane(StoreLimits.Default) { Checks = false }, StoreLimits.Default, clock);
        var transport = new CountingTransport();
        var bus = new RecordingBus();
        var engine = new PeeringEngine(store, transport, clock, new Random(1), NullLogger.Instance, 1, 1, _ => bus);
        engine.Reconfigure(new PeeringSettings(true, [Policy.Drop], [new PeerSettings("peer", 2900, false, Guid.Empty)])
        {
            Bus = new BusPlan(new BusSettings("nats://broker:4222"), [Policy.Drop]),
        });
        engine.RestoreRule(Policy.Drop, Rule, new RuleVersion(1, 2), default, default, 0, null, StoreOutcome.Created);
        Assert.Equal((0, 0), (transport.Requests, bus.Starts));
        engine.Tick();
        engine.Tick();
        Assert.Equal((1, 1), (Math.Min(1, transport.Requests), bus.Starts));
    }

    private static SimCluster Bus(int nodes, double skew = 0)
    {
        var world = new SimWorld(7);
        var cluster = new SimCluster(world, nodes, skew) { Broker = new SimBroker(world), HasBus = _ => true, ArePeers = (_, _) => false };
        cluster.StartAll();
        return cluster;
    }

    private void Run(double seconds) => _cluster.Run(seconds);

    private BusStatus Status(int node) => _cluster.Nodes[node].Engine.Bus!.Status();

    private bool Holds(int node, Cidr cidr) => _cluster.Nodes[node].Store.TryGet(Policy.Drop, cidr, out _);

    private void AssertHolds(Cidr cidr, bool holds) => Assert.All(_cluster.Nodes, node => Assert.Equal(holds, Holds(node.Number, cidr)));

    private sealed class CountingTransport : IPeerTransport
    {
        public int Requests { get; private set; }

        public void Post(PeerRequest request) => Requests++;

        public void AwaitReachable(PeerSettings peer, Action<bool> reachable) => Requests++;

        public void Forget(PeerSettings peer)
        {
        }
    }

    private sealed class RecordingBus : IBus
    {
        public int Starts { get; private set; }

        public DateTimeOffset Now => default;

        public void Start(IBusClient client) => Starts++;

        public void Publish(IReadOnlyList<BusValue> values, Action<BusReceipts> done) => throw new InvalidOperationException("not open");

        public void Delete(IReadOnlyList<ulong> sequences, Action<int> done) => throw new InvalidOperationException("not open");

        public void Reopen() => throw new InvalidOperationException("not open");

        public void Dispose()
        {
        }
    }
}
