using Couic.Daemon;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Couic.Tests.Daemon;

public class PeriodicTaskTests
{
    [Fact]
    public void RunLongerThanThePeriod_IsNotOverlappedByTheNext()
    {
        int running = 0, overlaps = 0, runs = 0;
        using var done = new ManualResetEventSlim();
        using var task = new PeriodicTask(Place.Guard, NullLogger.Instance, TimeSpan.FromMilliseconds(1), () =>
        {
            overlaps += Interlocked.Increment(ref running) > 1 ? 1 : 0;
            Thread.Sleep(20);
            Interlocked.Decrement(ref running);
            if (++runs == 10)
            {
                done.Set();
            }
        });
        task.Start(TimeSpan.Zero);
        Assert.True(done.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        Assert.Equal(0, overlaps);
    }

    [Fact]
    public void RunThatThrows_IsCounted_AndFollowedByTheNext()
    {
        long before = InternalErrors.Count(Place.HeapCompactor);
        int runs = 0;
        using var done = new ManualResetEventSlim();
        using var task = new PeriodicTask(Place.HeapCompactor, NullLogger.Instance, TimeSpan.FromMilliseconds(1), () =>
        {
            if (++runs == 3)
            {
                done.Set();
            }

            throw new InvalidOperationException("as the test asked");
        });
        task.Start(TimeSpan.Zero);
        Assert.True(done.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        Assert.True(InternalErrors.Count(Place.HeapCompactor) >= before + 2);
    }

    [Fact]
    public async Task RequestsDuringARun_AreOneMoreRunAfterIt()
    {
        int runs = 0, running = 0, overlaps = 0;
        using var goOn = new ManualResetEventSlim();
        using var begun = new ManualResetEventSlim();
        var reloads = new CoalescedRuns(() =>
        {
            overlaps += Interlocked.Increment(ref running) > 1 ? 1 : 0;
            begun.Set();
            goOn.Wait(TimeSpan.FromSeconds(30));
            runs++;
            Interlocked.Decrement(ref running);
        });
        Task first = Task.Run(reloads.Request, TestContext.Current.CancellationToken);
        Assert.True(begun.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        for (int i = 0; i < 100; i++)
        {
            reloads.Request(); // returns at once
        }

        goOn.Set();
        await first.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.Equal(2, runs);
        Assert.Equal(0, overlaps);
        reloads.Request();
        Assert.Equal(3, runs);
    }
}
