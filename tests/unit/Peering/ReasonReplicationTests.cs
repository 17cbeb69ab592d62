using System.Buffers;
using System.Text;
using Couic.Peering;
using Couic.Store;
using Couic.Tests.Peering.Simulator;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Peering;

/// <summary>Reasons of entries between nodes, and nodes that know none.</summary>
public sealed class ReasonReplicationTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Reason_ReachesTheOtherNode_WhetherPushedOrFetched(bool fetched)
    {
        SimCluster cluster = Started(2);
        if (fetched)
        {
            cluster.Nodes[1].Crash();
        }

        Add(cluster.Nodes[0], "10.0.0.1/32", "port scan, \"ticket\" \\ 4711 é");
        cluster.Run(2);
        if (fetched)
        {
            cluster.Nodes[1].Start();
            cluster.Run(2);
        }

        Assert.Equal("port scan, \"ticket\" \\ 4711 é", ReasonOf(cluster.Nodes[1], "10.0.0.1/32"));
        Add(cluster.Nodes[1], "10.0.0.1/32", "");
        cluster.Run(2);
        Assert.Equal("", ReasonOf(cluster.Nodes[0], "10.0.0.1/32"));
    }

    [Fact]
    public void Nodes_OfWhichOneKnowsNoReasons_AgreeOnTheEntries()
    {
        SimCluster cluster = Started(3, plain: 1);
        for (int i = 0; i < 3; i++)
        {
            Add(cluster.Nodes[i], $"10.0.0.{i}/32", $"reason {i}");
        }

        cluster.Run(2);
        cluster.Nodes[1].Crash(); // it fetches what it lacks
        cluster.Run(1);
        cluster.Nodes[1].Start();
        cluster.Nodes[2].Crash();
        cluster.Run(1);
        cluster.Nodes[2].Start(); // from both
        cluster.Run(3);
        Assert.All(cluster.Nodes, node => Assert.Equal(3, node.Store.Count(Policy.Drop)));
        Assert.Single(cluster.Nodes.Select(node => node.Index.Summary().Root).Distinct());
        Assert.Equal("reason 0", ReasonOf(cluster.Nodes[0], "10.0.0.0/32"));
    }

    [Fact]
    public void Node_WithoutTheFeature_IsNeverSentARecordWithAReason()
    {
        SimCluster cluster = Started(1);
        Add(cluster.Nodes[0], "10.0.0.1/32", "why");
        PeeringEngine engine = cluster.Nodes[0].Engine;
        foreach (SyncFeatures features in new[] { SyncFeatures.None, SyncFeatures.Reasons })
        {
            var answer = new ArrayBufferWriter<byte>();
            byte[] question = SyncMessage.AskLeaves(engine.Keys.Own, [new LeafRange(0, DigestTree.Leaves)], features);
            Assert.Equal(SyncOutcome.Answered, engine.ServeSync(Policy.Drop, question, answer));
            var records = new List<RemoteChange>();
            Assert.True(SyncRecords.TryRead(answer.WrittenSpan, out _, out _, records));
            Assert.Equal(features == SyncFeatures.None ? "" : "why", Encoding.UTF8.GetString(records.Single().Reason.Span));
            Assert.Equal(1, answer.WrittenSpan[0]); // nodes of 2.0 read no other version
        }
    }

    [Fact]
    public void Job_WithAReason_IsReadAsItWasWritten()
    {
        foreach (string reason in new[] { "a \"b\" \\ é", new string('"', ReasonRule.MaxBytes) })
        {
            var output = new ArrayBufferWriter<byte>();
            PeerJobWriter.Begin(output);
            PeerJobWriter.Append(
                output,
                new OutgoingJob(Net("10.0.0.1/32"), new RuleVersion(1, 2), RegisterState.Live, "t"u8.ToArray(), 0, null, false, default) { Reason = Encoding.UTF8.GetBytes(reason) },
                isAdd: true, versioned: true, null);
            PeerJobWriter.End(output);
            Assert.Equal(PeerBodyFault.None, PeerJobReader.TryRead(output.WrittenMemory, out IncomingBatch batch, out _));
            Assert.Equal(reason, Encoding.UTF8.GetString(batch.Jobs.Single().Reason.Span));
        }
    }

    [Theory]
    [InlineData("a\\u0007b")]
    [InlineData("\\ud83d")]
    public void Job_WithABadReason_IsRefusedByName(string reason)
    {
        string job = """[{"action":"add","entry":{"cidr":"10.0.0.1/32","expiration":0,"reason":"REASON"}}]""".Replace("REASON", reason, StringComparison.Ordinal);
        Assert.NotEqual(PeerBodyFault.None, PeerJobReader.TryRead(Encoding.ASCII.GetBytes(job), out _, out string message));
        Assert.True(message.Contains("\"reason\"", StringComparison.Ordinal) || message.StartsWith("the body is not JSON", StringComparison.Ordinal));
    }

    [Fact]
    public void Reasons_OfRegisters_AreReleasedWithThem()
    {
        SimCluster cluster = Started(2);
        for (int i = 0; i < 200; i++)
        {
            Add(cluster.Nodes[0], $"10.0.{i}.0/24", $"reason {i}");
        }

        cluster.Run(2);
        Assert.All(cluster.Nodes, node => Assert.True(node.Index.ReasonBytes > 0));
        for (int i = 0; i < 200; i++)
        {
            cluster.Nodes[1].Remove(Net($"10.0.{i}.0/24"));
        }

        cluster.Run(2);
        Assert.All(cluster.Nodes, node => Assert.Equal((0, 0), (node.Index.ReasonBytes, node.Store.Tables.Reasons.Bytes)));
    }

    private static SimCluster Started(int nodes, int? plain = null)
    {
        var cluster = new SimCluster(1, nodes);
        if (plain is { } number)
        {
            cluster.Nodes[number].Features = SyncFeatures.None;
        }

        cluster.StartAll();
        cluster.Run(2);
        return cluster;
    }

    private static void Add(SimNode node, string cidr, string reason) => node.Store.Add(
        Policy.Drop, Net(cidr), default, 0, ConflictMode.Update,
        new ChangeContext(ChangeOrigin.Api, "tester"u8, reason: Encoding.UTF8.GetBytes(reason)), out _);

    private static string ReasonOf(SimNode node, string cidr)
    {
        Assert.True(node.Store.TryGet(Policy.Drop, Net(cidr), out Entry entry));
        return Encoding.UTF8.GetString(entry.Reason.Span);
    }
}
