using Couic.Peering;
using Couic.Store;
using Couic.Tests.Peering.Simulator;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Peering;

/// <summary>Whatever a token of group peering sends, the records of a node stay below their documented bounds.</summary>
public class BoundsTests
{
    private static ulong _stamp;

    [Fact]
    public void AMillionRemovals_LeaveNoMoreThanTheBound()
    {
        SimNode node = Started(2).Nodes[0];
        for (int i = 0; i < 25; i++)
        {
            Send(node, 40_000, n => Address((40_000 * i) + n), isAdd: false);
            Assert.InRange(node.Index.TombstoneCount, 1, RegisterTable.MaxTombstones);
        }

        RecordCounts counts = node.Index.Counts;
        Assert.Equal((0, RegisterTable.MaxTombstones, 0L), (counts.Live, counts.Tombstones, counts.Evicted));
    }

    [Fact]
    public void OneAddress_ThatComesAndGoesWithoutEnd_IsOneRecord()
    {
        SimCluster cluster = Started(2);
        cluster.Nodes[1].Crash();
        SimNode node = cluster.Nodes[0];
        for (int i = 0; i < 5_000; i++)
        {
            Send(node, 1, _ => Address(1), isAdd: true);
            Send(node, 1, _ => Address(1), isAdd: false);
        }

        Assert.Equal(new RecordCounts(0, 1, 0, 0, 0), node.Index.Counts);
    }

    [Fact]
    public void RulesThatDoNotFit_WaitUpToTheBoundAndEachOnce()
    {
        var cluster = new SimCluster(1, 2, limits: new StoreLimits(MaxDropEntries: 100));
        cluster.StartAll();
        cluster.Run(1);
        SimNode node = cluster.Nodes[0];
        for (int i = 0; i < 5; i++)
        {
            Send(node, 20_000, Address, isAdd: true);
        }

        int waiting = RegisterTable.MaxWaiting(100);
        RecordCounts counts = node.Index.Counts;
        Assert.Equal((100 + waiting, waiting), (counts.Live, counts.Waiting));
        Assert.Equal(5 * (20_000L - 100 - waiting), counts.Refused);
        cluster.Run(10); // tries them again and again
        Assert.Equal((100 + waiting, waiting), (node.Index.Counts.Live, node.Index.Counts.Waiting));
        Assert.Equal(100, node.Store.Count(Policy.Drop));
    }

    [Fact]
    public void InventedNodes_StopAtTheBound()
    {
        SimNode node = Started(2).Nodes[0];
        Send(node, RegisterTable.MaxNodes + 1_000, Address, isAdd: true, n => (ulong)n);
        Assert.Equal((RegisterTable.MaxNodes, 1_000L), (node.Index.Counts.Live, node.Index.Counts.Refused));
        Send(node, 10, n => Address(500_000 + n), isAdd: true, n => (ulong)n);
        Assert.Equal(RegisterTable.MaxNodes + 10, node.Index.Counts.Live);
    }

    [Fact]
    public void AFloodOfRemovals_DoesNotMakeTheNodeForgetWhatAnAbsentPeerHasToHear()
    {
        SimCluster cluster = Started(2);
        cluster.Nodes[0].Add(Net("192.0.2.1/32"), "", 0, update: false);
        cluster.Run(1);
        Assert.Equal(1, cluster.Nodes[1].Store.Count(Policy.Drop));
        cluster.Network.Cut(0, 1);
        cluster.Nodes[0].Remove(Net("192.0.2.1/32"));
        for (int i = 0; i < 8; i++)
        {
            Send(cluster.Nodes[0], 40_000, n => Address((40_000 * i) + n), isAdd: false);
        }

        cluster.Network.Heal();
        cluster.Run(3);
        Assert.All(cluster.Nodes, node => Assert.Equal(0, node.Store.Count(Policy.Drop)));
    }

    [Fact]
    public void APlaceInAQueue_ThatIsStale_IsDropped()
    {
        var queue = new PeerQueue { Count = 10 };
        for (int i = 0; i < 100_000; i++)
        {
            if (queue.IsCrowded)
            {
                queue.Compact(slot => slot < 10);
            }

            queue.Append(new PeerQueue.Item(i, i));
            Assert.InRange(queue.Length, 0, 256);
        }

        Assert.Equal(Enumerable.Range(0, 10), Enumerable.Range(0, 10).Select(_ => queue.Take().Slot));
    }

    [Fact]
    public void AStranger_CannotMakeTheNodeForgetRemovals()
    {
        SimCluster cluster = Started(2);
        SimNode node = cluster.Nodes[0];
        cluster.Run(2);
        long before = node.Engine.Sessions[0].ComparedAt(Policy.Drop);
        var forged = new SyncHead(
            cluster.Nodes[1].Engine.Node, node.Clock.GetUtcNow().ToUnixTimeMilliseconds(), 1, 2, 3, 4, long.MaxValue, node.Engine.Node, Key: 666);
        node.Engine.ServeSync(Policy.Drop, SyncMessage.Hello(forged), new System.Buffers.ArrayBufferWriter<byte>(), "liar");
        Assert.Equal(before, node.Engine.Sessions[0].ComparedAt(Policy.Drop));
        node.Engine.ServeSync(
            Policy.Drop, SyncMessage.Hello(forged with { Key = cluster.Nodes[1].Engine.Keys.Own }), new System.Buffers.ArrayBufferWriter<byte>(), "liar");
        Assert.InRange(node.Engine.Sessions[0].ComparedAt(Policy.Drop), before, node.Clock.GetTimestamp());
    }

    [Theory]
    [InlineData("tags")]
    [InlineData("removal")]
    [InlineData("expiry")]
    public void TwoThingsSaidUnderOneStamp_EndInOne(string difference)
    {
        SimCluster cluster = Started(3);
        cluster.Run(2);
        ulong now = (ulong)cluster.Nodes[0].Clock.GetUtcNow().ToUnixTimeMilliseconds() << 16;
        var version = new RuleVersion(now, 7);
        for (int i = 0; i < 3; i++)
        {
            bool isAdd = difference != "removal" || i == 0;
            ReadOnlyMemory<byte> tag = difference == "tags" ? (byte[])[(byte)('a' + i)] : default;
            bool isShort = difference == "expiry" && i == 1;
            var job = new IncomingJob(isAdd, Net("192.0.2.1/32"), tag, isShort ? 1UL : 0, null, version, isShort ? TimeSpan.FromSeconds(4) : null);
            cluster.Nodes[i].Engine.ApplyJobs(Policy.Drop, new IncomingBatch([job], null), "liar"u8);
        }

        cluster.Run(15);
        Assert.All(cluster.Nodes, node => Assert.Equal(difference == "tags" ? 1 : 0, node.Store.Count(Policy.Drop)));
        Assert.All(cluster.Nodes.SelectMany(node => node.Engine.Sessions), session => Assert.True(session.Status().InSync));
        Assert.All(cluster.Nodes, node => Assert.Equal(difference == "tags" ? "c" : "", node.Store.TryGet(Policy.Drop, Net("192.0.2.1/32"), out Entry entry)
            ? System.Text.Encoding.ASCII.GetString(entry.Tag.Span) : ""));
    }

    private static SimCluster Started(int nodes)
    {
        var cluster = new SimCluster(1, nodes);
        cluster.StartAll();
        cluster.Run(1);
        return cluster;
    }

    private static Cidr Address(int number) => new(IpFamily.V6, 0x20010db8_00000000UL, (ulong)number, 128);

    private static void Send(SimNode node, int count, Func<int, Cidr> cidr, bool isAdd, Func<int, ulong>? nodeNumber = null)
    {
        ulong now = (ulong)node.Clock.GetUtcNow().ToUnixTimeMilliseconds() << 16;
        node.Engine.ApplyJobs(
            Policy.Drop,
            new IncomingBatch(
                [.. Enumerable.Range(0, count).Select(i => new IncomingJob(
                    isAdd, cidr(i), default, 0, null, new RuleVersion(now + Interlocked.Increment(ref _stamp), nodeNumber?.Invoke(i) ?? 7), null))], null),
            "liar"u8);
    }
}
