using Couic.Daemon;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Daemon;

public sealed class TrimRuleTests
{
    private const long Rest = 100 << 20;
    private const int Many = TrimRule.ManyConnections + 1;

    private readonly ManualClock _clock = new();
    private readonly TrimRule _rule;

    public TrimRuleTests()
    {
        _rule = new TrimRule(Rest, _clock);
    }

    [Fact]
    public void GrowthIsWorthItAtAThreshold()
    {
        Assert.False(_rule.IsDue(Rest + TrimRule.WorthBytes - 1, 1, 1));
        Assert.True(_rule.IsDue(Rest + TrimRule.WorthBytes, 1, 1));
    }

    [Fact]
    public void GrowthCountsFromTheLeastThatWasResident()
    {
        Assert.False(_rule.IsDue(Rest / 2, 1, 1));
        Assert.True(_rule.IsDue((Rest / 2) + TrimRule.WorthBytes, 1, 1));

        _rule.Done(Rest, TimeSpan.Zero);
        Assert.False(_rule.IsDue(Rest + TrimRule.WorthBytes - 1, 1, 1));
    }

    [Fact]
    public void ConnectionsThatWentAreWorthItOnce()
    {
        Assert.False(_rule.IsDue(Rest, TrimRule.WorthConnections + 1, 1));
        Assert.False(_rule.IsDue(Rest, 2, 1));
        Assert.True(_rule.IsDue(Rest, 1, 1));

        _rule.Done(Rest, TimeSpan.Zero);
        Assert.False(_rule.IsDue(Rest, 1, 1));
    }

    [Fact]
    public void ALittleGrowthIsWorthItOnceAMinute()
    {
        const long grown = Rest + TrimRule.WorthLeisureBytes;
        _clock.Advance(TrimRule.Leisure - TimeSpan.FromSeconds(1));
        Assert.False(_rule.IsDue(grown, 1, 1));
        _clock.AdvanceSeconds(1);
        Assert.False(_rule.IsDue(grown - 1, 1, 1));
        Assert.True(_rule.IsDue(grown, 1, 1));

        _rule.Done(Rest, TimeSpan.FromMilliseconds(10));
        _clock.Advance(TrimRule.Leisure - TimeSpan.FromSeconds(1));
        Assert.False(_rule.IsDue(grown, 1, 1));
        _clock.AdvanceSeconds(1);
        Assert.True(_rule.IsDue(grown, 1, 1));
    }

    [Fact]
    public void ALongPauseAtLeisureIsRarer()
    {
        _rule.Done(Rest, TimeSpan.FromMilliseconds(100));
        _clock.AdvanceSeconds(199);
        Assert.False(_rule.IsDue(Rest + TrimRule.WorthLeisureBytes, 1, 1));
        _clock.AdvanceSeconds(1);
        Assert.True(_rule.IsDue(Rest + TrimRule.WorthLeisureBytes, 1, 1));
    }

    [Fact]
    public void WhileManyAreOpenMuchIsWorthItAndWhenTheyHaveGoneOnlyBehindACalm()
    {
        Assert.False(_rule.IsDue(Rest + TrimRule.WorthBurstBytes - 1, Many, Many));
        Assert.True(_rule.IsDue(Rest + TrimRule.WorthBurstBytes, Many, Many));
        _rule.Done(Rest + (TrimRule.WorthBurstBytes / 2), TimeSpan.Zero);
        Assert.True(_rule.IsDue(Rest + TrimRule.WorthBurstBytes, Many, Many)); // what there was at rest stays what it was

        _clock.Advance(TrimRule.Calm - TimeSpan.FromSeconds(1));
        Assert.False(_rule.IsDue(Rest + TrimRule.WorthBurstBytes - 1, 1, Many));
        _clock.AdvanceSeconds(1);
        Assert.True(_rule.IsDue(Rest, 1, Many));
    }

    [Fact]
    public void InABurstWhatHelpedTooLittleIsNotDoneAgainAtOnce()
    {
        Assert.True(_rule.IsDue(Rest + TrimRule.WorthBurstBytes, Many, Many));
        _rule.Done(Rest + TrimRule.WorthBurstBytes - 1, TimeSpan.Zero);
        Assert.False(_rule.IsDue(Rest + TrimRule.WorthBurstBytes + TrimRule.WorthBytes - 2, Many, Many));
        Assert.True(_rule.IsDue(Rest + TrimRule.WorthBurstBytes + TrimRule.WorthBytes - 1, Many, Many));
    }

    [Fact]
    public void ThoseThatComeAndGoAtOnceAreManyAsWell()
    {
        Assert.False(_rule.IsDue(Rest, 1, 1));
        Assert.False(_rule.IsDue(Rest + TrimRule.WorthBytes, 1, 1 + Many));
        _clock.Advance(TrimRule.Calm);
        Assert.False(_rule.IsDue(Rest + TrimRule.WorthBytes, 1, 1 + (2 * Many)));
        _clock.Advance(TrimRule.Calm);
        Assert.True(_rule.IsDue(Rest + TrimRule.WorthBytes, 1, 1 + (2 * Many)));
    }
}
