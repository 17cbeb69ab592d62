using Couic.Store;
using Xunit;

namespace Couic.Tests.Store;

public class StealableTaskTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public void QueuedTask_RunsOnceBeforeRunOrWaitReturns()
    {
        int done = 0;
        var task = new StealableTask(() => done++);
        task.RunOrWait();
        for (int i = 0; i < 20_000; i++)
        {
            task.Queue();
            Thread.SpinWait(i % 500); // sometimes no thread has begun it yet, sometimes a pool thread runs it
            task.RunOrWait();
            Assert.Equal(i + 1, done);
            task.RunOrWait();
        }

        Assert.Equal(20_000, done);
    }

    [Fact]
    public void RunOrWait_WhileAPoolThreadRunsTheTask_WaitsForItsEnd()
    {
        using var begun = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        int runner = 0;
        var task = new StealableTask(() =>
        {
            begun.Set();
            release.Wait(Patience);
            runner = Environment.CurrentManagedThreadId;
        });
        task.Queue();
        Assert.True(begun.Wait(Patience, TestContext.Current.CancellationToken), "no thread of the pool begins it");

        using var timer = new Timer(_ => release.Set(), null, TimeSpan.FromMilliseconds(50), Timeout.InfiniteTimeSpan);
        task.RunOrWait();
        Assert.NotEqual(0, runner);
        Assert.NotEqual(Environment.CurrentManagedThreadId, runner);
    }
}
