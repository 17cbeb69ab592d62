using Couic.Demo;
using Couic.Native;
using Xunit;

namespace Couic.Tests.Demo;

/// <summary>The demonstration's network without a filter in it. Needs root, as the demonstration does.</summary>
public sealed class DemoNetworkTests
{
    [Fact]
    public void EveryPacketOfTheScenarioArrivesWhereNothingFilters()
    {
        using var network = new DemoNetwork();
        using var probe = new DemoProbe(network);
        Assert.All(probe.Send(DemoScenario.WithRules), arrived => Assert.Equal(DemoProbe.Repeat, arrived));
    }

    [Fact]
    public void AnInterfaceThatIsThereAlreadyIsRefusedWithItsName()
    {
        using var network = new DemoNetwork();
        IOException error = Assert.Throws<IOException>(() => network.Outside.Run(
            () => VethPair.Create(DemoNetwork.OuterInterface, "other", network.Inside.Handle!)));
        Assert.Equal("create veth pair \"outer\" and \"other\": file exists", error.Message);
    }

    [Fact]
    public void SettingUpAnInterfaceThatIsNotThereFails()
    {
        using var network = new DemoNetwork();
        Assert.Throws<IOException>(() => network.Inside.Run(() => VethPair.SetUp("nowhere")));
    }

    [Fact]
    public void TheScenarioCallsEveryRuleAtLeastOnce() =>
        Assert.All(DemoScenario.Rules, rule => Assert.Contains(DemoScenario.WithRules, p => p.Why.Contains(rule.Cidr.Split(':')[0], StringComparison.Ordinal)));
}
