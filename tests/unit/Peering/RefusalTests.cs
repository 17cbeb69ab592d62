using Couic.Peering;
using Couic.Store;
using Couic.Tests.Peering.Simulator;
using Xunit;

namespace Couic.Tests.Peering;

/// <summary>A data plane that refuses what a peer has sent: the rule is not in force, and tried until it is.</summary>
public sealed class RefusalTests
{
    private static readonly Cidr Rule = Cidr.FromV4(0xc0000207u);
    private readonly SimCluster _cluster = new(seed: 1, nodes: 2);

    public RefusalTests()
    {
        _cluster.StartAll();
        _cluster.Run(2);
    }

    private SimNode Sender => _cluster.Nodes[0];

    private SimNode Refusing => _cluster.Nodes[1];

    [Fact]
    public void ARefusedAddition_Waits_AndIsInForceSoonAfterTheLastRefusal()
    {
        Refusing.Refusals = 1;
        Sender.Add(Rule, "t", 0, update: false);
        _cluster.Run(5);
        Assert.False(IsInForce);
        Assert.Equal(1, Refusing.Index.Counts.Waiting);
        Refusing.Refusals = 0;
        _cluster.Run(0.5);
        Assert.True(IsInForce);
        Assert.Equal(0, Refusing.Index.Counts.Waiting);
    }

    [Fact]
    public void ARefusedRemoval_IsMadeAfterTheLastRefusal()
    {
        Sender.Add(Rule, "t", 0, update: false);
        _cluster.Run(1);
        Refusing.Refusals = 1;
        Sender.Remove(Rule);
        _cluster.Run(5);
        Assert.True(IsInForce);
        Refusing.Refusals = 0;
        _cluster.Run(5);
        Assert.False(IsInForce);
    }

    [Fact]
    public void AValueThatExpiresWhileRefused_EndsTheOneBeforeIt()
    {
        Sender.Add(Rule, "before", 0, update: false);
        _cluster.Run(1);
        Assert.True(IsInForce);
        Refusing.Refusals = 1;
        Sender.Add(Rule, "after", (ulong)Sender.Clock.GetUtcNow().ToUnixTimeSeconds() + 3, update: true);
        _cluster.Run(5);
        Assert.True(IsInForce);
        Refusing.Refusals = 0;
        _cluster.Run(1);
        Assert.False(IsInForce);
        Assert.Null(_cluster.Fault());
    }

    private bool IsInForce => Refusing.Store.TryGet(Policy.Drop, Rule, out _);
}
