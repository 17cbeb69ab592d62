using System.Buffers;
using Couic.Peering;
using Couic.Store;
using Couic.Tests.Peering.Simulator;
using Xunit;

namespace Couic.Tests.Peering;

/// <summary>The hash of the leaves is public, so a peer can put any number of CIDRs into one. Nodes agree on them all the same.</summary>
public class CrowdedLeafTests
{
    private const int Many = 5 * SyncMessage.MaxLeafRecords;

    [Fact]
    public void Nodes_WithOneCrowdedLeaf_AgreeAndThenTransferDifferencesOnly()
    {
        SimCluster cluster = Crowded();
        cluster.Run(20);
        AssertSame(cluster, Many + 1);

        Tell(cluster.Nodes[0], Many, 1);
        long before = cluster.Traffic.Total;
        cluster.Run(2);
        AssertSame(cluster, Many + 2);
        Assert.InRange(cluster.Traffic.Total - before, 0, 512 * 1024);
    }

    [Fact]
    public void ANewcomer_FetchesACrowdedLeafInBoundedAnswers()
    {
        SimCluster cluster = Crowded();
        cluster.Run(20);
        cluster.Nodes[1].Crash();
        cluster.Run(1);
        cluster.Nodes[1].Start();
        cluster.Run(20);
        AssertSame(cluster, Many + 1);
    }

    [Fact]
    public void AnAnswer_IsBoundedWhateverIsAskedFor()
    {
        SimNode node = Crowded().Nodes[0];
        ulong key = node.Engine.Keys.Own;
        int leaf = DigestTree.LeafOf(Colliding.Cidr(0));
        foreach (byte[] question in (byte[][])[
            SyncMessage.AskLeaves(key, [new LeafRange(0, DigestTree.Leaves)]),
            SyncMessage.AskLeaves(key, [new LeafRange(leaf, 1)]),
            SyncMessage.AskPartHashes(key, new CrowdedLeaf(leaf, 99)),
            SyncMessage.AskParts(key, new CrowdedLeaf(leaf, 99), [new LeafRange(0, KeyedParts.Count)])])
        {
            var answer = new ArrayBufferWriter<byte>();
            Assert.Equal(SyncOutcome.Answered, node.Engine.ServeSync(Policy.Drop, question, answer));
            Assert.InRange(answer.WrittenCount, 1, 1024 * 1024);
            for (int length = 0; length < question.Length; length++)
            {
                var none = new ArrayBufferWriter<byte>();
                SyncOutcome outcome = node.Engine.ServeSync(Policy.Drop, question.AsSpan(0, length), none);
                Assert.True(outcome == SyncOutcome.Malformed || question[1] == (byte)SyncKind.PartHashes, $"{length} of {question.Length} bytes");
            }
        }
    }

    [Fact]
    public void Parts_AreEvenForAnyKey()
    {
        for (ulong key = 0; key < 4; key++)
        {
            var parts = new KeyedParts(key);
            int[] counts = new int[KeyedParts.Count];
            for (int i = 0; i < 64 * KeyedParts.Count; i++)
            {
                counts[parts.PartOf(Colliding.Cidr(i))]++;
            }

            Assert.InRange(counts.Max(), 64, 64 + (7 * 8)); // seven standard deviations
        }

        Assert.NotEqual(new KeyedParts(1).PartOf(Colliding.Cidr(0)), new KeyedParts(2).PartOf(Colliding.Cidr(0)));
    }

    private static SimCluster Crowded()
    {
        var cluster = new SimCluster(1, 2);
        cluster.StartAll();
        cluster.Run(1);
        Tell(cluster.Nodes[0], 0, Many);
        cluster.Nodes[0].Add(Couic.Tests.Store.StoreRig.Net("192.0.2.1/32"), "", 0, update: false);
        Assert.Equal(Many + 1, cluster.Nodes[0].Store.Count(Policy.Drop));
        return cluster;
    }

    private static void Tell(SimNode node, int first, int count)
    {
        ulong now = (ulong)node.Clock.GetUtcNow().ToUnixTimeMilliseconds() << 16;
        node.Engine.ApplyJobs(
            Policy.Drop,
            new IncomingBatch(
                [.. Enumerable.Range(first, count).Select(i => new IncomingJob(true, Colliding.Cidr(i), default, 0, null, new RuleVersion(now + (ulong)i, 7), null))], null),
            "liar"u8);
    }

    private static void AssertSame(SimCluster cluster, int count)
    {
        Assert.All(cluster.Nodes, node => Assert.Equal(count, node.Store.Count(Policy.Drop)));
        Assert.All(cluster.Nodes, node => Assert.True(node.Engine.Sessions[0].Status().InSync));
    }
}
