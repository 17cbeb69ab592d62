using Couic.Http;
using Xunit;

namespace Couic.Tests.Http;

public class FairSemaphoreTests
{
    [Fact]
    public void Queues_AreServedRoundRobin_HoweverLongTheyAre()
    {
        var turns = new FairSemaphore(1);
        Assert.Null(turns.Enter("greedy"));
        Task<bool>[] greedy = [.. Enumerable.Range(0, 3).Select(_ => turns.Enter("greedy")!.Task)];
        Task<bool> modest = turns.Enter("modest")!.Task;
        Assert.True(turns.HasWaiters);

        turns.Release();
        Assert.True(greedy[0].IsCompletedSuccessfully);
        Assert.False(modest.IsCompleted);
        turns.Release();
        Assert.True(modest.IsCompletedSuccessfully);
        Assert.False(greedy[1].IsCompleted);
        turns.Release();
        turns.Release();
        Assert.True(greedy[2].IsCompletedSuccessfully);
        Assert.False(turns.HasWaiters);
    }

    [Fact]
    public void WaiterThatGaveUp_IsSkipped()
    {
        var turns = new FairSemaphore(1);
        Assert.Null(turns.Enter("a"));
        TaskCompletionSource<bool> impatient = turns.Enter("a")!;
        TaskCompletionSource<bool> patient = turns.Enter("a")!;
        Assert.True(impatient.TrySetResult(false));
        turns.Release();
        Assert.True(patient.Task.IsCompletedSuccessfully);
        turns.Release();
        Assert.Null(turns.Enter("a"));
    }
}
