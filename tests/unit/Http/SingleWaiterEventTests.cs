using Couic.Http;
using Xunit;

namespace Couic.Tests.Http;

/// <summary>One waiter, one kind of event: none is lost, and none is seen twice.</summary>
public sealed class SingleWaiterEventTests
{
    private const int Rounds = 200_000;

    private readonly SingleWaiterEvent _there = new();
    private readonly SingleWaiterEvent _back = new();

    [Fact]
    public async Task SignalBeforeTheWait_IsKeptOnce()
    {
        _there.Signal();
        _there.Signal();
        Assert.True(_there.IsSet);
        await _there.WaitAsync();
        Assert.False(_there.IsSet);
        Task second = WaitAsync();
        Assert.False(second.IsCompleted);
        _there.Signal();
        Assert.True(second.IsCompleted);
    }

    [Fact]
    public void Waiter_ContinuesInsideSignal()
    {
        int thread = 0;
        _ = GoOnAsync();
        _there.Signal();
        Assert.Equal(Environment.CurrentManagedThreadId, thread);

        async Task GoOnAsync()
        {
            await _there.WaitAsync();
            thread = Environment.CurrentManagedThreadId;
        }
    }

    [Fact]
    public async Task NoSignalIsLostBetweenTwoThreads()
    {
        // Each waits while the other signals, so signals come before, during and after the start of a wait.
        Task one = Task.Run(() => BounceAsync(_there, _back), TestContext.Current.CancellationToken);
        Task other = Task.Run(() => BounceAsync(_back, _there), TestContext.Current.CancellationToken);
        _there.Signal();
        await Task.WhenAny(one, other).WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
    }

    private static async Task BounceAsync(SingleWaiterEvent from, SingleWaiterEvent to)
    {
        for (int i = 0; i < Rounds; i++)
        {
            await from.WaitAsync();
            if (i % 64 == 0)
            {
                await Task.Yield(); // off the other's stack
            }

            to.Signal();
        }
    }

    private async Task WaitAsync() => await _there.WaitAsync();
}
