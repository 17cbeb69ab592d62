using System.Buffers;
using System.Text;
using Couic.Peering;
using Couic.Store;
using Xunit;
using static Couic.Tests.Store.StoreRig;

namespace Couic.Tests.Peering;

/// <summary>With a node that knows only the wire of couic 1.x, both ways.</summary>
public class PlainWireTests
{
    [Fact]
    public async Task APlainNodeGetsWhatChanges()
    {
        await using var peer = new PlainPeer();
        await using var node = new RealNode(RealNode.Peer(peer.Port));
        node.Add("10.0.0.1/32", "a", 4_000_000_000);
        node.Add("10.0.0.2/32");
        await RealNode.Eventually(() => peer.Rules.Count == 2, "both arrive");
        Assert.Equal(("a", 4_000_000_000UL), peer.Rules["10.0.0.1/32"]);

        node.Add("10.0.0.1/32", "b");
        node.Remove("10.0.0.2/32");
        await RealNode.Eventually(() => peer.Rules.Count == 1 && peer.Rules["10.0.0.1/32"] == ("b", 0), "the update and the removal");
        Assert.True(node.StatusOf(peer.Port).Plain);
        await RealNode.Eventually(() => node.StatusOf(peer.Port).Queued == 0, "all is confirmed");
    }

    [Fact]
    public async Task AStopAtAConflictLosesNoJobBehindIt()
    {
        await using var peer = new PlainPeer();
        for (int i = 0; i < 50; i += 7)
        {
            peer.Put($"10.0.0.{i}/32", "its own");
        }

        await using var node = new RealNode(RealNode.Peer(peer.Port));
        for (int i = 0; i < 50; i++)
        {
            node.Add($"10.0.0.{i}/32", "ours");
        }

        await RealNode.Eventually(() => peer.Rules.Count == 50 && node.StatusOf(peer.Port).Queued == 0, "all are there");
        for (int i = 0; i < 50; i++)
        {
            peer.Put($"10.0.1.{i}/32");
        }

        for (int i = 0; i < 50; i += 2)
        {
            node.Remove($"10.0.0.{i}/32");
        }

        node.Remove("10.0.0.1/32");
        await RealNode.Eventually(() => node.StatusOf(peer.Port).Queued == 0, "all removals are confirmed");
        Assert.Equal(50 + 24, peer.Rules.Count);
    }

    [Fact]
    public async Task WhatCameAndWentBeforeAPlainNodeHeardOfItIsNotSent()
    {
        await using var peer = new PlainPeer();
        await using var node = new RealNode();
        node.Service.Reconfigure(new PeeringSettings(true, [Policy.Drop], [RealNode.Peer(peer.Port)]));
        node.Add("10.0.0.1/32");
        node.Remove("10.0.0.1/32");
        node.Add("10.0.0.2/32");
        await RealNode.Eventually(() => peer.Rules.ContainsKey("10.0.0.2/32") && node.StatusOf(peer.Port).Queued == 0, "the other one");
        Assert.Single(peer.Rules);
    }

    [Fact]
    public async Task APlainNodeMaySendToUs()
    {
        await using var node = new RealNode();
        node.Add("10.0.0.1/32", "ours");
        ApplyCounts counts = Apply(node, """
            [{"action":"add","entry":{"cidr":"10.0.0.1/32","tag":null,"expiration":0,"metadata":null}},
             {"action":"remove","entry":{"cidr":"10.9.9.9/32","tag":null,"expiration":0,"metadata":null}},
             {"action":"add","entry":{"cidr":"10.0.0.9/32","tag":null,"expiration":1,"metadata":null}},
             {"action":"add","entry":{"cidr":"10.0.0.2/32","tag":"x","expiration":0,"metadata":null}}]
            """);
        Assert.Equal((1, 3), (counts.Applied, counts.Stale));
        Assert.Equal(2, node.Store.Count(Policy.Drop));
        Assert.True(node.Store.TryGet(Policy.Drop, Net("10.0.0.1/32"), out Entry entry));
        Assert.Equal("ours", Encoding.UTF8.GetString(entry.Tag.Span));
        Apply(node, """[{"action":"remove","entry":{"cidr":"10.0.0.1/32","expiration":0}}]""");
        Assert.False(node.Store.TryGet(Policy.Drop, Net("10.0.0.1/32"), out _));
    }

    [Fact]
    public async Task AJobNeverTouchesTheEntryOfASet()
    {
        await using var node = new RealNode();
        var image = new SetImage(Policy.Drop);
        image.BeginSet("list.couic"u8);
        image.Add(Net("10.0.0.0/24"));
        node.Store.ReplaceSets(new SetImage(Policy.Ignore), image);
        foreach (string extra in (string[])["", ""","stamp":99999999999999999,"node":1"""])
        {
            ApplyCounts counts = Apply(node, $$"""
                [{"action":"add","entry":{"cidr":"10.0.0.0/24","tag":"x","expiration":0}{{extra}}},
                 {"action":"add","entry":{"cidr":"10.0.1.0/24","tag":"x","expiration":0}{{extra}}}]
                """);
            Assert.Equal(1, counts.OwnedBySet);
            Apply(node, $$"""[{"action":"remove","entry":{"cidr":"10.0.0.0/24","expiration":0}{{extra.Replace('1', '2')}}}]""");
            Assert.True(node.Store.TryGet(Policy.Drop, Net("10.0.0.0/24"), out Entry entry) && entry.IsOfSet);
        }
    }

    private static ApplyCounts Apply(RealNode node, string jobs)
    {
        Assert.Equal(PeerBodyFault.None, PeerJobReader.TryRead(Encoding.UTF8.GetBytes(jobs), out IncomingBatch batch, out string message));
        _ = message;
        var echo = new ArrayBufferWriter<byte>();
        PeerJobWriter.WriteEcho(batch, echo);
        return node.Service.Apply(Policy.Drop, batch, "couic1");
    }
}
