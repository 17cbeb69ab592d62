using Couic.Store;
using Xunit;

namespace Couic.Tests.Store;

public class ErrandTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public void EachIsDoneOnceBeforeItIsComplete()
    {
        int done = 0;
        var errand = new Errand(() => done++);
        errand.Complete();
        for (int i = 0; i < 20_000; i++)
        {
            errand.Offer();
            Thread.SpinWait(i % 500); // now nobody has begun it yet, now another thread is at it
            errand.Complete();
            Assert.Equal(i + 1, done);
            errand.Complete();
        }

        Assert.Equal(20_000, done);
    }

    [Fact]
    public void WhoNeedsItDoneWaitsForTheThreadThatIsAtIt()
    {
        using var begun = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        int doer = 0;
        var errand = new Errand(() =>
        {
            begun.Set();
            goOn.Wait(Patience);
            doer = Environment.CurrentManagedThreadId;
        });
        errand.Offer();
        Assert.True(begun.Wait(Patience), "no thread of the pool begins it");

        using var timer = new Timer(_ => goOn.Set(), null, TimeSpan.FromMilliseconds(50), Timeout.InfiniteTimeSpan);
        errand.Complete();
        Assert.NotEqual(0, doer);
        Assert.NotEqual(Environment.CurrentManagedThreadId, doer);
    }
}
