using Couic.Peering;
using Couic.Store;
using Couic.Tests.Fakes;
using Couic.Tests.Peering.Simulator;
using Couic.Tests.Support;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Peering;

/// <summary>Chosen stories in the simulator, where the random ones would need luck.</summary>
public class ConvergenceTests
{
    [Fact]
    public void TheLaterOfTwoConflictingChangesWinsOnBothNodes()
    {
        SimCluster cluster = Started(2);
        cluster.Network.Cut(0, 1);
        cluster.Nodes[0].Add(Net("10.0.0.1/32"), "first", 0, update: false);
        cluster.Run(1);
        cluster.Nodes[1].Add(Net("10.0.0.1/32"), "second", 0, update: false);
        cluster.Run(60);
        cluster.Network.Heal();
        cluster.Run(1);
        Assert.Null(cluster.Fault());
        Assert.All(cluster.Nodes, node => Assert.Equal("second", TagOf(node, "10.0.0.1/32")));
    }

    [Fact]
    public void ARemovedRuleStaysAwayWhenEverybodyWhoSawItGoHasForgottenIt()
    {
        SimCluster cluster = Started(3);
        cluster.Nodes[2].Add(Net("10.0.0.1/32"), "", 0, update: false);
        cluster.Run(1);
        cluster.Network.Cut(0, 2);
        cluster.Network.Cut(1, 2);
        cluster.Nodes[0].Remove(Net("10.0.0.1/32"));
        cluster.Run(3_600);
        Assert.Equal(1, cluster.Nodes[0].Index.TombstoneCount);
        cluster.Nodes[0].Crash();
        cluster.Run(1);
        cluster.Nodes[0].Start();
        cluster.Run(10);
        cluster.Network.Heal();
        cluster.Run(1);
        Assert.Null(cluster.Fault());
        Assert.All(cluster.Nodes, node => Assert.Equal(0, node.Store.Count(Policy.Drop)));
        cluster.Run(120);
        Assert.All(cluster.Nodes, node => Assert.Equal(0, node.Index.TombstoneCount));
    }

    /// <summary>Its journal still has the rule that was removed hours ago, and no other node may have forgotten the removal.</summary>
    [Fact]
    public void NodeWhoseJournalCouldNotBeWritten_BringsNoRemovedRuleBack()
    {
        var cluster = new SimCluster(1, 3) { KeepsRules = true };
        cluster.StartAll();
        cluster.Nodes[0].Add(Net("10.0.0.1/32"), "", 0, update: false);
        cluster.Run(5);
        cluster.Nodes[2].Disk!.Fails = _ => Couic.Native.Errno.EIO;
        cluster.Nodes[0].Remove(Net("10.0.0.1/32"));
        cluster.Run(3_600);
        Assert.Equal(0, cluster.Nodes[2].Store.Count(Policy.Drop));
        Assert.Equal(1, cluster.Nodes[0].Index.TombstoneCount);
        cluster.Nodes[2].Crash();
        cluster.Nodes[2].Start();
        Assert.Equal(1, cluster.Nodes[2].Store.Count(Policy.Drop));
        cluster.Run(5);
        Assert.Null(cluster.Fault());
        Assert.All(cluster.Nodes, node => Assert.Equal(0, node.Store.Count(Policy.Drop)));
        cluster.Run(120);
        Assert.All(cluster.Nodes, node => Assert.Equal(0, node.Index.TombstoneCount));
    }

    [Fact]
    public void ARestartedNodeGetsTheRulesBackAndTakesNoneAway()
    {
        SimCluster cluster = Started(3);
        for (int i = 0; i < 500; i++)
        {
            cluster.Nodes[i % 3].Add(Cidr.FromV4(0x0a000000u + (uint)i), "", 0, update: false);
        }

        cluster.Run(2);
        cluster.Nodes[1].Crash();
        cluster.Run(5);
        cluster.Nodes[1].Start();
        cluster.Run(1);
        Assert.Null(cluster.Fault());
        Assert.All(cluster.Nodes, node => Assert.Equal(500, node.Store.Count(Policy.Drop)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void ANewcomerDoesNotWaitForAPeerThatIsSlowToAnswer(int slow)
    {
        SimCluster cluster = Started(3);
        for (int i = 0; i < 500; i++)
        {
            cluster.Nodes[0].Add(Cidr.FromV4(0x0a000000u + (uint)i), "", 0, update: false);
        }

        cluster.Run(2);
        cluster.Nodes[2].Crash();
        cluster.Run(1);
        cluster.Network.SlowAnswers = (slow, 2);
        cluster.Nodes[2].Start();
        cluster.Run(2);
        Assert.Equal(500, cluster.Nodes[2].Store.Count(Policy.Drop));
    }

    [Theory]
    [InlineData(3_600)]
    [InlineData(-3_600)]
    public void ClocksAnHourApartNeitherKillNorKeepARule(int skew)
    {
        SimCluster cluster = Started(2, skewSeconds: skew);
        ulong now = (ulong)cluster.Nodes[0].Clock.GetUtcNow().ToUnixTimeSeconds();
        cluster.Nodes[0].Add(Net("10.0.0.1/32"), "", now + 60, update: false);
        cluster.Run(57);
        Assert.Equal(1, cluster.Nodes[1].Store.Count(Policy.Drop));
        cluster.Run(5);
        Assert.Equal(0, cluster.Nodes[1].Store.Count(Policy.Drop));
        Assert.InRange(cluster.Nodes[0].Engine.Sessions[0].Status().ClockOffset!.Value.TotalSeconds, skew - 0.1, skew + 0.1);
    }

    [Fact]
    public void APeerThatComesAndGoesIsLoggedOnceAMinute()
    {
        var log = new ListLogger();
        var cluster = new SimCluster(1, 2);
        cluster.Nodes[0].Log = log;
        cluster.StartAll();
        for (int i = 0; i < 200; i++)
        {
            cluster.Nodes[0].Add(Cidr.FromV4((uint)i), "", 0, update: false);
            cluster.Network.Cut(0, 1);
            cluster.Run(2);
            cluster.Network.Mend(0, 1);
            cluster.Run(1);
        }

        Assert.InRange(cluster.Nodes[0].Engine.Sessions[0].Status().Counters.Failures, 100, 400);
        string[] lines = [.. log.Lines.Where(line => line.StartsWith("Warning: send to peer \"node1:1\": connection lost", StringComparison.Ordinal))];
        Assert.InRange(lines.Length, 9, 11); // in ten minutes
    }

    [Fact]
    public void TenRulesOfTwoHundredThousandCostKilobytes()
    {
        SimCluster cluster = Started(2);
        const int Rules = 200_000;
        for (int i = 0; i < Rules; i++)
        {
            cluster.Nodes[0].Add(Cidr.FromV4((uint)i << 8), "", 0, update: false);
        }

        cluster.Run(60);
        Assert.Equal(Rules, cluster.Nodes[1].Store.Count(Policy.Drop));

        // The jobs of these ten are lost with the node that was told of them; only the comparison finds them.
        RegisterTable index = cluster.Nodes[0].Index;
        for (int i = 0; i < 10; i++)
        {
            var context = new ChangeContext(ChangeOrigin.Peer, "gone"u8);
            Cidr cidr = Net($"203.0.{i}.0/24");
            using (cluster.Nodes[0].Store.Hold())
            {
                cluster.Nodes[0].Store.Add(Policy.Drop, cidr, default, 0, ConflictMode.Refuse, context, out _);
                index.Record(cidr, index.NewVersion(), RegisterState.Live, RegisterFlags.Applied, default, 0, null);
            }
        }

        long before = cluster.Traffic.Total;
        cluster.Run(2);
        Assert.Equal(Rules + 10, cluster.Nodes[1].Store.Count(Policy.Drop));
        Assert.InRange(cluster.Traffic.Total - before, 0, 64 * 1024);
    }

    [Fact]
    public void APeerThatWasAwayCostsMemoryByTheCidrAndGetsItAllInSeconds()
    {
        SimCluster cluster = Started(3);
        cluster.Run(2);
        cluster.Nodes[2].Crash();
        const int Rules = 100_000;
        for (int i = 0; i < Rules; i++)
        {
            cluster.Nodes[0].Add(Cidr.FromV4((uint)i), "", 0, update: false);
            cluster.Nodes[0].Add(Cidr.FromV4((uint)i), "again", 0, update: true);
        }

        cluster.Run(600);
        Assert.Equal(Rules, cluster.Nodes[0].Engine.Sessions.Single(l => l.Settings.Port == 2).Status().Queued);
        long before = cluster.Traffic.Total;
        cluster.Nodes[2].Start();
        cluster.Run(5);
        Assert.Equal(Rules, cluster.Nodes[2].Store.Count(Policy.Drop));
        Assert.InRange(cluster.Traffic.Total - before, 0, 3L * Rules * 200);
        cluster.Run(5);
        Assert.All(cluster.Nodes[0].Engine.Sessions, session => Assert.Equal(0, session.Status().Queued));
    }

    [Fact]
    public void TheRulesOfASetStayOnTheirNodeAndTheirOwn()
    {
        SimCluster cluster = Started(2);
        SetsAre(cluster.Nodes[1], "10.0.0.0/24");
        cluster.Run(2);
        Assert.Equal(0, cluster.Nodes[0].Store.Count(Policy.Drop));

        cluster.Nodes[0].Add(Net("10.0.0.0/24"), "api", 0, update: false);
        cluster.Run(1);
        Assert.Equal("list.couic", TagOf(cluster.Nodes[1], "10.0.0.0/24"));

        // The rule is still one of the cluster when the set goes.
        SetsAre(cluster.Nodes[1]);
        cluster.Run(1);
        Assert.Equal("api", TagOf(cluster.Nodes[1], "10.0.0.0/24"));
        cluster.Nodes[0].Remove(Net("10.0.0.0/24"));
        cluster.Run(1);
        Assert.Null(cluster.Fault());
    }

    [Fact]
    public void ATableThatIsFullTakesTheRestWhenThereIsRoom()
    {
        var cluster = new SimCluster(1, 2, limits: new StoreLimits(MaxDropEntries: 10));
        cluster.StartAll();
        cluster.Run(1);
        SetsAre(cluster.Nodes[1], [.. Enumerable.Range(0, 5).Select(i => $"192.0.2.{i}/32")]);
        for (int i = 0; i < 10; i++)
        {
            cluster.Nodes[0].Add(Net($"10.0.0.{i}/32"), "", 0, update: false);
        }

        cluster.Run(2);
        Assert.Equal(10, cluster.Nodes[1].Store.Count(Policy.Drop));
        SetsAre(cluster.Nodes[1]);
        cluster.Run(2);
        Assert.Null(cluster.Fault());
    }

    [Fact]
    public void ALocalChangeAllocatesNothingOnItsWayToThePeers()
    {
        SimCluster cluster = Started(3);
        Cidr[] cidrs = [.. Enumerable.Range(0, 2_000).Select(i => Cidr.FromV4((uint)i))];
        void AddAll()
        {
            foreach (Cidr cidr in cidrs)
            {
                cluster.Nodes[0].Store.Add(Policy.Drop, cidr, default, 0, ConflictMode.Update, new ChangeContext(ChangeOrigin.Api, "t"u8), out _);
            }
        }

        void RemoveAll()
        {
            foreach (Cidr cidr in cidrs)
            {
                cluster.Nodes[0].Store.Remove(Policy.Drop, cidr, new ChangeContext(ChangeOrigin.Api, "t"u8), out _);
            }
        }

        long allocated = Allocated.ByEachRound(() =>
        {
            AddAll();
            RemoveAll();
        });
        Assert.InRange(allocated, 0, 1_000); // for two thousand of them
    }

    private static SimCluster Started(int nodes, int skewSeconds = 0)
    {
        var cluster = skewSeconds == 0 ? new SimCluster(1, nodes) : new SimCluster(1, [0, skewSeconds]);
        cluster.StartAll();
        cluster.Run(1);
        return cluster;
    }

    private static void SetsAre(SimNode node, params string[] cidrs)
    {
        var image = new SetImage(Policy.Drop);
        image.BeginSet("list.couic"u8);
        foreach (string cidr in cidrs)
        {
            image.Add(Net(cidr));
        }

        Assert.Equal(SetReplacementStatus.Done, node.Store.ReplaceSets(new SetImage(Policy.Ignore), image).Status);
    }

    private static string TagOf(SimNode node, string cidr)
    {
        Assert.True(node.Store.TryGet(Policy.Drop, Net(cidr), out Entry entry));
        return System.Text.Encoding.UTF8.GetString(entry.Tag.Span);
    }
}
