using System.Buffers;
using Couic.Peering;
using Couic.Store;
using Couic.Tests.Peering.Simulator;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Peering;

/// <summary>A token alone reads no rules: whoever asks for them has to know what only configured peers are told.</summary>
public class PeerKeysTests
{
    private static readonly byte[][] Questions = [SyncMessage.AskBranches(0, [0]), SyncMessage.AskLeaves(0, [new LeafRange(0, DigestTree.Leaves)])];

    [Fact]
    public void RulesAreToldOnlyToWhomShowsTheKey()
    {
        SimNode node = StartedWithARule().Nodes[0];
        foreach (byte[] question in Questions)
        {
            Assert.Equal((SyncOutcome.Forbidden, 0), Ask(node, question));
            Assert.Equal((SyncOutcome.Forbidden, 0), Ask(node, WithKey(question, node.Engine.Keys.Own ^ 1)));
            (SyncOutcome outcome, int length) = Ask(node, WithKey(question, node.Engine.Keys.Own));
            Assert.Equal(SyncOutcome.Answered, outcome);
            Assert.NotEqual(0, length);
            for (int cut = 2; cut < 10; cut++)
            {
                Assert.Equal((SyncOutcome.Malformed, 0), Ask(node, question[..cut]));
            }
        }
    }

    [Fact]
    public void NoAnswerTellsTheKey()
    {
        SimNode node = StartedWithARule().Nodes[0];
        var output = new ArrayBufferWriter<byte>();
        var stranger = new SyncHead(4711, 1_700_000_000_000, 1, 2, 3, 4, 5, 6, Key: 7);
        Assert.Equal(SyncOutcome.Answered, node.Engine.ServeSync(Policy.Drop, SyncMessage.Hello(stranger), output));
        Assert.True(SyncMessage.TryReadHelloAnswer(output.WrittenSpan, out SyncHead head, new ulong[DigestTree.Branches], out _));
        Assert.Equal((node.Engine.Node, (ulong)node.Engine.Features), (head.Node, head.Key));
        Assert.Equal(-1, output.WrittenSpan.IndexOf(BitConverter.GetBytes(node.Engine.Keys.Own).Reverse().ToArray()));
    }

    [Fact]
    public void ANodeThatIsNotGreetedAsksNothingAndSaysSo()
    {
        SimCluster cluster = StartedWithARule();
        cluster.Nodes[1].Engine.Reconfigure(PeeringSettings.Off with { Enabled = true });
        cluster.Nodes[0].Crash();
        cluster.Run(1);
        cluster.Nodes[0].Start();
        cluster.Run(20);
        PeerSession session = cluster.Nodes[0].Engine.Sessions[0];
        Assert.Equal((PeerState.Up, false), (session.Status().State, session.Status().InSync));
        Assert.Equal(0, cluster.Nodes[0].Store.Count(Policy.Drop));
        Assert.InRange(session.Status().Counters.Requests, 5, 60);
    }

    [Fact]
    public void Keys_OfOneClient_AreBoundedAndTheOldestIsEvicted()
    {
        var keys = new PeerKeys(1);
        Assert.False(keys.Learn("m", 5, 0));
        Assert.True(keys.Learn("m", 5, 7));
        Assert.False(keys.Learn("m", 5, 7));
        Assert.True(keys.Learn("m", 5, 8));
        Assert.True(keys.TryGet(5, out ulong key) && key == 8);
        for (ulong node = 10; node < 10_000; node++)
        {
            keys.Learn("m", node, 9);
        }

        Assert.False(keys.TryGet(5, out _));
        Assert.Equal(PeerKeys.MaxPerClient, Enumerable.Range(0, 10_000).Count(node => keys.TryGet((ulong)node, out _)));
        Assert.True(keys.TryGet(9_999, out _));
    }

    [Fact]
    public void Keys_OfOneClient_DisplaceNoneOfAnother()
    {
        var keys = new PeerKeys(1);
        keys.Learn("honest", 5, 7);
        for (ulong node = 0; node < 10_000; node++)
        {
            keys.Learn("flooding", node, 9);
        }

        Assert.True(keys.TryGet(5, out ulong key) && key == 7);
    }

    [Fact]
    public void AKeyThatWasRefused_GivesWayToTheOneOfAnotherClient()
    {
        var keys = new PeerKeys(1);
        keys.Learn("liar", 5, 666);
        keys.Learn("honest", 5, 7);
        keys.Reject(5, 666);
        keys.Learn("liar", 5, 667);
        Assert.True(keys.TryGet(5, out ulong key) && key == 7);
    }

    private static SimCluster StartedWithARule()
    {
        var cluster = new SimCluster(1, 2);
        cluster.StartAll();
        cluster.Run(1);
        cluster.Nodes[0].Add(Net("10.0.0.1/32"), "", 0, update: false);
        cluster.Run(1);
        return cluster;
    }

    private static byte[] WithKey(byte[] question, ulong key) => [.. question[..2], .. BitConverter.GetBytes(key).Reverse(), .. question[10..]];

    private static (SyncOutcome Outcome, int Length) Ask(SimNode node, byte[] question)
    {
        var output = new ArrayBufferWriter<byte>();
        return (node.Engine.ServeSync(Policy.Drop, question, output), output.WrittenCount);
    }
}
