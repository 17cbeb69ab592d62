using Couic.Config;
using Couic.Peering;
using Couic.Store;
using Couic.Tests.Fakes;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;
using PeeringSettings = Couic.Peering.PeeringSettings;
using PeerSettings = Couic.Peering.PeerSettings;

namespace Couic.Tests.Peering;

/// <summary>Any list of peers may follow any other, and a fault at one of them stops none of the others.</summary>
public class ReconfigureTests
{
    [Fact]
    public void AnySequenceOfPeerLists_IsTakenInWithoutAnException()
    {
        for (int seed = 0; seed < 20; seed++)
        {
            var random = new Random(seed);
            (PeeringEngine engine, RuleStore store, _) = NewEngine();
            for (int step = 0; step < 60; step++)
            {
                PeerSettings[] peers = [.. Enumerable.Range(0, random.Next(3) switch { 0 => random.Next(4), 1 => random.Next(64), _ => random.Next(140) })
                    .Select(_ => new PeerSettings($"node{random.Next(90)}", random.Next(2), random.Next(2) == 0, Guid.Empty))];
                engine.Reconfigure(new PeeringSettings(
                    random.Next(8) != 0, random.Next(3) == 0 ? [Policy.Drop, Policy.Ignore] : [Policy.Drop], peers));
                PeerSettings[] expected = engine.Settings.Enabled ? [.. peers.Distinct().Take(64)] : [];
                Assert.Equal(expected, engine.Sessions.Select(session => session.Settings));
                Assert.Equal(engine.Sessions.Count, engine.Sessions.Select(session => session.Number).Distinct().Count());
                store.Add(
                    Policy.Drop, Cidr.FromV4((uint)random.Next()), default, 0, ConflictMode.Update, new ChangeContext(ChangeOrigin.Api, "t"u8), out _);
                engine.Tick();
            }
        }
    }

    [Fact]
    public void APeerInFrontOfSixtyFour_TakesThePlaceOfTheLast()
    {
        (PeeringEngine engine, _, _) = NewEngine();
        PeerSettings[] peers = [.. Enumerable.Range(0, 64).Select(i => Peer(i))];
        engine.Reconfigure(new PeeringSettings(true, [Policy.Drop], peers));
        engine.Reconfigure(new PeeringSettings(true, [Policy.Drop], [Peer(99), .. peers]));
        Assert.Equal([Peer(99), .. peers[..63]], engine.Sessions.Select(session => session.Settings));
    }

    [Theory]
    [InlineData(64, null)]
    [InlineData(65, "at most 64 peers")]
    [InlineData(200, "at most 64 peers")]
    public void Settings_WithMoreThan64Peers_AreRefusedOnce(int count, string? fault)
    {
        const string Head = """
            ifaces = ["lo"]
            working_dir = "/var/lib/couic"
            user = "couic"
            group = "couic"
            [server]
            socket = "/run/couic/couic.sock"
            [logging]
            dir = "/var/log/couic"
            [peering]
            enabled = true

            """;
        string text = Head + string.Concat(Enumerable.Range(0, count).Select(
            i => $"[[peering.peers]]\nhost = \"node{i}\"\nport = 2900\ntoken = \"{Guid.NewGuid():D}\"\n"));
        var faults = new List<Fault>();
        SettingsReader.Read("couic.toml", System.Text.Encoding.UTF8.GetBytes(text), faults, checkHost: false);
        Assert.Equal(fault is null ? 0 : 1, faults.Count);
        Assert.All(faults, found => Assert.Contains("at most 64 peers", found.ToString(), StringComparison.Ordinal));
        Assert.Equal(Couic.Config.PeeringSettings.MaxPeers, PeeringSettings.MaxPeers);
    }

    [Fact]
    public void AFaultAtOnePeer_StopsNoOtherAndLosesNoJob()
    {
        (PeeringEngine engine, RuleStore store, ThrowingTransport transport) = NewEngine();
        var clock = transport.Clock;
        engine.Reconfigure(new PeeringSettings(true, [Policy.Drop], [Peer(0), Peer(1)]));
        store.Add(Policy.Drop, Cidr.FromV4(1), default, 0, ConflictMode.Update, new ChangeContext(ChangeOrigin.Api, "t"u8), out _);
        transport.ThrowsFor = 0;
        for (int i = 0; i < 20; i++)
        {
            engine.Tick();
            clock.AdvanceSeconds(0.25);
        }

        Assert.True(transport.Posts[1] > 0);
        Assert.True(transport.Posts[0] > 1, "the faulty one is tried again");
        Assert.All(engine.Sessions, session => Assert.Equal(1, session.Status().Queued));
        Assert.Equal("unexpected fault of this node (see its log)", engine.Sessions[0].Status().LastError);
    }

    private static PeerSettings Peer(int number) => new($"node{number}", number + 1, false, Guid.Empty);

    private static (PeeringEngine Engine, RuleStore Store, ThrowingTransport Transport) NewEngine()
    {
        var clock = new ManualClock();
        var store = new RuleStore(new ModelPlane(), StoreLimits.Default, clock);
        var transport = new ThrowingTransport(clock);
        return (new PeeringEngine(store, transport, clock, new Random(1), NullLogger.Instance, 1, 2), store, transport);
    }

    private sealed class ThrowingTransport(ManualClock clock) : IPeerTransport
    {
        public ManualClock Clock => clock;

        public Dictionary<int, int> Posts { get; } = [];

        public int ThrowsFor { get; set; } = -1;

        public void Post(PeerRequest request)
        {
            int peer = request.Peer.Port - 1;
            Posts[peer] = Posts.GetValueOrDefault(peer) + 1;
            if (peer == ThrowsFor)
            {
                throw new InvalidOperationException("as the test asked");
            }
        }

        public void AwaitReachable(PeerSettings peer, Action<bool> reachable)
        {
        }

        public void Forget(PeerSettings peer)
        {
        }
    }
}
