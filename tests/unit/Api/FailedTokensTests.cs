using System.Net;
using Couic.Api.Access;
using Couic.Http;
using Couic.Tests.Fakes;
using Xunit;

namespace Couic.Tests.Api;

public sealed class FailedTokensTests
{
    private readonly ManualClock _clock = new();

    private static CallerId At(int n) => CallerId.Of(new IPAddress([10, (byte)(n >> 16), (byte)(n >> 8), (byte)n]));

    [Fact]
    public void SomeFailuresAreAnsweredAtOnce_LaterOnesLate_UntilTheyAreForgiven()
    {
        var failures = new FailedTokens(_clock);
        Assert.All(Enumerable.Range(0, FailedTokens.Burst), _ => Assert.Equal(TimeSpan.Zero, failures.Add(At(1))));
        Assert.All(Enumerable.Range(0, 1_000), _ => Assert.Equal(FailedTokens.Delay, failures.Add(At(1))));
        Assert.Equal(TimeSpan.Zero, failures.Add(At(2)));
        _clock.Advance(TimeSpan.FromSeconds(7));
        Assert.Equal(TimeSpan.Zero, failures.Add(At(1)));
        Assert.Equal(FailedTokens.Delay, failures.Add(At(1)));
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.All(Enumerable.Range(0, FailedTokens.Burst), _ => Assert.Equal(TimeSpan.Zero, failures.Add(At(1))));
        Assert.Equal(FailedTokens.Delay, failures.Add(At(1)));
    }

    [Fact]
    public void TheTable_IsBounded_AndForgetsTheForgivenFirst()
    {
        var failures = new FailedTokens(_clock);
        failures.Add(At(-1));
        _clock.Advance(TimeSpan.FromSeconds(10));
        for (int i = 0; i < FailedTokens.Burst; i++)
        {
            failures.Add(At(0));
        }

        for (int i = 1; i < FailedTokens.MaxCallers; i++)
        {
            failures.Add(At(i));
        }

        Assert.Equal(FailedTokens.MaxCallers, failures.Count);
        Assert.Equal(FailedTokens.Delay, failures.Add(At(0)));
        Assert.All(Enumerable.Range(5_000, 10_000), n => failures.Add(At(n)));
        Assert.Equal(FailedTokens.MaxCallers, failures.Count);
    }
}
