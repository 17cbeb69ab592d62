using Couic.Peering;
using Couic.Store;
using Couic.Tests.Fakes;
using Couic.Tests.Peering.Simulator;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Peering;

/// <summary>Whatever a peer says of time, versions stay acceptable to nodes whose clocks are right.</summary>
public class ClockTests
{
    private const ulong Day = 24UL * 3_600_000 << 16;

    public static TheoryData<ulong> FarStamps => [1UL << 62, (1UL << 62) - 60, HybridClock.MaxTime, WallOf(2050), WallOf(9999), Now() + Day + (60_000UL << 16)];

    [Theory]
    [MemberData(nameof(FarStamps))]
    public void AClock_ThatIsToldOfTheFarFuture_IsNotMoved(ulong far)
    {
        var clock = new HybridClock(new ManualClock());
        ulong before = clock.Next();
        Assert.False(clock.Accepts(far));
        clock.Observe(far);
        Assert.Equal(before + 1, clock.Next());
    }

    [Fact]
    public void AClock_ThatIsLedAsFarAsPossible_IsAcceptableToANodeTwelveHoursBehind()
    {
        var ahead = new ManualClock();
        ahead.StepWallClock(TimeSpan.FromHours(12));
        var led = new HybridClock(ahead);
        ulong wall = led.Next();
        for (ulong hours = 0; hours <= 48; hours++)
        {
            led.Observe(wall + (hours * 3_600_000 << 16));
        }

        var other = new HybridClock(new ManualClock());
        Assert.True(other.Accepts(led.Next() - (1UL << 16)));
    }

    [Fact]
    public void AClock_WhoseWallClockWasWrongAndIsSetBack_IsAcceptableAgain()
    {
        var time = new ManualClock();
        time.StepWallClock(TimeSpan.FromDays(5_000));
        var clock = new HybridClock(time);
        clock.Next();
        time.StepWallClock(TimeSpan.FromDays(-5_000));
        Assert.True(new HybridClock(new ManualClock()).Accepts(clock.Next()));
        Assert.Equal(1, clock.Resets);
    }

    [Fact]
    public void AWallClock_AtTheEndOfTime_OverflowsNothing()
    {
        var time = new ManualClock();
        time.StepWallClock(DateTimeOffset.MaxValue - time.GetUtcNow());
        var clock = new HybridClock(time);
        ulong last = clock.Next();
        Assert.True(clock.Accepts(last));
        clock.Observe(ulong.MaxValue);
        Assert.True(clock.Next() > last);
    }

    [Theory]
    [MemberData(nameof(FarStamps))]
    public void AJob_FromTheFarFuture_ChangesNothingAndPeeringGoesOn(ulong far)
    {
        var cluster = new SimCluster(1, 2);
        cluster.StartAll();
        cluster.Run(1);
        SimNode victim = cluster.Nodes[0];
        var batch = new IncomingBatch([new IncomingJob(true, Net("192.0.2.1/32"), default, 0, null, new RuleVersion(far, 7), null)], null);
        Assert.Contains("ahead of this node's clock (at most 24 h)", victim.Engine.ClockObjection(Policy.Drop, batch), StringComparison.Ordinal);
        Assert.Equal(1, victim.Engine.ApplyJobs(Policy.Drop, batch, "liar"u8).TooFarAhead);
        Assert.False(victim.Index.TryGet(Net("192.0.2.1/32"), out _, out _));
        AssertBothWays(cluster);
    }

    [Theory]
    [MemberData(nameof(FarStamps))]
    public void AHello_FromTheFarFuture_IsRefusedAndPeeringGoesOn(ulong far)
    {
        var cluster = new SimCluster(1, 2);
        cluster.StartAll();
        cluster.Run(1);
        SimNode victim = cluster.Nodes[0];
        var head = new SyncHead(4711, victim.Clock.GetUtcNow().ToUnixTimeMilliseconds(), far, 1, 2, 3, 4, 5, 6);
        Assert.Equal(SyncOutcome.ClockOff, victim.Engine.ServeSync(Policy.Drop, SyncMessage.Hello(head), new System.Buffers.ArrayBufferWriter<byte>()));
        AssertBothWays(cluster);
    }

    [Theory]
    [InlineData(0, "status 422")]
    [InlineData(253_402_300_799_999, "its clock or this node's is wrong: they are 29")]
    public void APeer_WithAnImpossibleWallClock_IsShownAndDelaysNoOther(long wall, string error)
    {
        var cluster = new SimCluster(1, 3);
        cluster.Nodes[1].Clock.Step(DateTimeOffset.FromUnixTimeMilliseconds(wall) - cluster.Nodes[1].Clock.GetUtcNow());
        cluster.StartAll();
        cluster.Run(2);
        cluster.Nodes[0].Add(Net("192.0.2.1/32"), "", 0, update: false);
        cluster.Run(1);
        Assert.Equal(1, cluster.Nodes[2].Store.Count(Policy.Drop));
        PeerStatus status = cluster.Nodes[0].Engine.Sessions.Single(session => session.Settings.Port == 1).Status();
        Assert.Equal(PeerState.Failing, status.State);
        Assert.StartsWith(error, status.LastError, StringComparison.Ordinal);
        Assert.Equal(1, status.Queued);
    }

    [Theory]
    [InlineData(30)]
    [InlineData(5_000)]
    public void ANode_WhoseWallClockWasWrongAndIsSetBack_SharesItsRulesAgain(int days)
    {
        var cluster = new SimCluster(1, 3);
        cluster.Nodes[0].Clock.Step(TimeSpan.FromDays(days));
        cluster.StartAll();
        cluster.Nodes[0].Add(Net("192.0.2.1/32"), "wrong", 0, update: false);
        cluster.Nodes[1].Add(Net("192.0.2.2/32"), "right", 0, update: false);
        cluster.Run(5);
        Assert.Equal(0, cluster.Nodes[2].Store.Count(Policy.Drop) - 1);
        cluster.Nodes[0].Clock.Step(TimeSpan.FromDays(-days));
        cluster.Run(40);
        Assert.All(cluster.Nodes, node => Assert.Equal(2, node.Store.Count(Policy.Drop)));

        // The rule from the future does not win over what is done now.
        cluster.Nodes[1].Remove(Net("192.0.2.1/32"));
        cluster.Run(2);
        Assert.All(cluster.Nodes, node => Assert.Equal(1, node.Store.Count(Policy.Drop)));
    }

    [Fact]
    public void ACluster_WhoseClocksWereAllWrong_AgreesAfterTheyAreSetBack()
    {
        var cluster = new SimCluster(1, 3);
        foreach (SimNode node in cluster.Nodes)
        {
            node.Clock.Step(TimeSpan.FromDays(5_000));
        }

        cluster.StartAll();
        cluster.Run(1);
        for (int i = 0; i < 3_000; i++)
        {
            cluster.Nodes[i % 3].Add(Cidr.FromV4(0x0a000000u + (uint)i), "", 0, update: false);
        }

        cluster.Run(2);
        foreach (SimNode node in cluster.Nodes)
        {
            node.Clock.Step(TimeSpan.FromDays(-5_000));
            cluster.Run(0.6);
        }

        cluster.Run(60);
        AssertBothWays(cluster);
        Assert.All(cluster.Nodes, node => Assert.Equal(3_000, node.Store.Count(Policy.Drop)));
        Assert.All(cluster.Nodes.SelectMany(node => node.Engine.Sessions), session => Assert.True(session.Status().InSync));
    }

    [Fact]
    public void ASampleThatContradictsTheOthers_ReplacesThem()
    {
        var offset = new ClockOffset();
        DateTimeOffset ours = DateTimeOffset.UnixEpoch.AddDays(20_000);
        offset.Add(ours, ours, TimeSpan.FromMilliseconds(1));
        offset.Add(ours, ours.AddDays(300), TimeSpan.FromMilliseconds(20));
        Assert.Equal(300, offset.Value!.Value.TotalDays, 3);
    }

    private static void AssertBothWays(SimCluster cluster)
    {
        cluster.Nodes[0].Add(Net("198.51.100.1/32"), "", 0, update: false);
        cluster.Nodes[1].Add(Net("198.51.100.2/32"), "", 0, update: false);
        cluster.Run(1);
        Assert.True(cluster.Nodes[1].Store.TryGet(Policy.Drop, Net("198.51.100.1/32"), out _));
        Assert.True(cluster.Nodes[0].Store.TryGet(Policy.Drop, Net("198.51.100.2/32"), out _));
        cluster.Nodes[0].Remove(Net("198.51.100.2/32"));
        cluster.Nodes[1].Remove(Net("198.51.100.1/32"));
        cluster.Run(1);
        Assert.False(cluster.Nodes[1].Store.TryGet(Policy.Drop, Net("198.51.100.2/32"), out _));
        Assert.False(cluster.Nodes[0].Store.TryGet(Policy.Drop, Net("198.51.100.1/32"), out _));
    }

    private static ulong Now() => (ulong)new ManualClock().GetUtcNow().ToUnixTimeMilliseconds() << 16;

    private static ulong WallOf(int year) => (ulong)new DateTimeOffset(year, 1, 1, 0, 0, 0, TimeSpan.Zero).ToUnixTimeMilliseconds() << 16;
}
