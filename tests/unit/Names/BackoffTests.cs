using Couic.Names;
using Xunit;

namespace Couic.Tests.Names;

public sealed class BackoffTests
{
    [Fact]
    public void Next_DoublesWithJitterUpToTheLast_AndResetStartsAgain()
    {
        TimeSpan first = TimeSpan.FromMilliseconds(250), last = TimeSpan.FromSeconds(30);
        var backoff = new Backoff(first, last, new Random(1));
        for (int i = 0; i < 40; i++)
        {
            double whole = Math.Min(30_000, 250 * Math.Pow(2, i));
            Assert.InRange(backoff.Next().TotalMilliseconds, Math.Max(250, whole / 2), whole);
            Assert.Equal(i + 1, backoff.Failures);
        }

        backoff.Reset();
        Assert.Equal(first, backoff.Next());
    }
}
