using Couic.Daemon;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Daemon;

public sealed class CompactionPolicyTests
{
    private const long Rest = 100 << 20;
    private const int Many = CompactionPolicy.ManyConnections + 1;

    private readonly ManualClock _clock = new();
    private readonly CompactionPolicy _rule;

    public CompactionPolicyTests()
    {
        _rule = new CompactionPolicy(Rest, _clock);
    }

    [Fact]
    public void Growth_AtTheThreshold_IsCompacted()
    {
        Assert.False(_rule.IsDue(Rest + CompactionPolicy.WorthBytes - 1, 1, 1));
        Assert.True(_rule.IsDue(Rest + CompactionPolicy.WorthBytes, 1, 1));
    }

    [Fact]
    public void Growth_CountsFromTheMinimum()
    {
        Assert.False(_rule.IsDue(Rest / 2, 1, 1));
        Assert.True(_rule.IsDue((Rest / 2) + CompactionPolicy.WorthBytes, 1, 1));

        _rule.Done(Rest, TimeSpan.Zero);
        Assert.False(_rule.IsDue(Rest + CompactionPolicy.WorthBytes - 1, 1, 1));
    }

    [Fact]
    public void ClosedConnections_AreCompactedOnce()
    {
        Assert.False(_rule.IsDue(Rest, CompactionPolicy.WorthConnections + 1, 1));
        Assert.False(_rule.IsDue(Rest, 2, 1));
        Assert.True(_rule.IsDue(Rest, 1, 1));

        _rule.Done(Rest, TimeSpan.Zero);
        Assert.False(_rule.IsDue(Rest, 1, 1));
    }

    [Fact]
    public void SmallGrowth_IsCompactedOncePerMinute()
    {
        const long grown = Rest + CompactionPolicy.WorthLeisureBytes;
        _clock.Advance(CompactionPolicy.Leisure - TimeSpan.FromSeconds(1));
        Assert.False(_rule.IsDue(grown, 1, 1));
        _clock.AdvanceSeconds(1);
        Assert.False(_rule.IsDue(grown - 1, 1, 1));
        Assert.True(_rule.IsDue(grown, 1, 1));

        _rule.Done(Rest, TimeSpan.FromMilliseconds(10));
        _clock.Advance(CompactionPolicy.Leisure - TimeSpan.FromSeconds(1));
        Assert.False(_rule.IsDue(grown, 1, 1));
        _clock.AdvanceSeconds(1);
        Assert.True(_rule.IsDue(grown, 1, 1));
    }

    [Fact]
    public void LongPause_ForSmallGrowth_IsRarer()
    {
        _rule.Done(Rest, TimeSpan.FromMilliseconds(100));
        _clock.AdvanceSeconds(199);
        Assert.False(_rule.IsDue(Rest + CompactionPolicy.WorthLeisureBytes, 1, 1));
        _clock.AdvanceSeconds(1);
        Assert.True(_rule.IsDue(Rest + CompactionPolicy.WorthLeisureBytes, 1, 1));
    }

    [Fact]
    public void ManyConnections_NeedMoreGrowth_AndACalmAfterTheyClose()
    {
        Assert.False(_rule.IsDue(Rest + CompactionPolicy.WorthBurstBytes - 1, Many, Many));
        Assert.True(_rule.IsDue(Rest + CompactionPolicy.WorthBurstBytes, Many, Many));
        _rule.Done(Rest + (CompactionPolicy.WorthBurstBytes / 2), TimeSpan.Zero);
        Assert.True(_rule.IsDue(Rest + CompactionPolicy.WorthBurstBytes, Many, Many)); // what there was at rest stays what it was

        _clock.Advance(CompactionPolicy.Calm - TimeSpan.FromSeconds(1));
        Assert.False(_rule.IsDue(Rest + CompactionPolicy.WorthBurstBytes - 1, 1, Many));
        _clock.AdvanceSeconds(1);
        Assert.True(_rule.IsDue(Rest, 1, Many));
    }

    [Fact]
    public void Burst_IsNotCompactedAgainAtOnce_AfterLittleWasFreed()
    {
        Assert.True(_rule.IsDue(Rest + CompactionPolicy.WorthBurstBytes, Many, Many));
        _rule.Done(Rest + CompactionPolicy.WorthBurstBytes - 1, TimeSpan.Zero);
        Assert.False(_rule.IsDue(Rest + CompactionPolicy.WorthBurstBytes + CompactionPolicy.WorthBytes - 2, Many, Many));
        Assert.True(_rule.IsDue(Rest + CompactionPolicy.WorthBurstBytes + CompactionPolicy.WorthBytes - 1, Many, Many));
    }

    [Fact]
    public void ShortConnections_CountAsMany()
    {
        Assert.False(_rule.IsDue(Rest, 1, 1));
        Assert.False(_rule.IsDue(Rest + CompactionPolicy.WorthBytes, 1, 1 + Many));
        _clock.Advance(CompactionPolicy.Calm);
        Assert.False(_rule.IsDue(Rest + CompactionPolicy.WorthBytes, 1, 1 + (2 * Many)));
        _clock.Advance(CompactionPolicy.Calm);
        Assert.True(_rule.IsDue(Rest + CompactionPolicy.WorthBytes, 1, 1 + (2 * Many)));
    }
}
