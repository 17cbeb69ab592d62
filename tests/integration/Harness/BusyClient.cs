using System.Diagnostics;
using Xunit;

namespace Couic.IntegrationTests.Harness;

/// <summary>An operator at work: a connection that asks something every few milliseconds until it is disposed.</summary>
internal sealed class BusyClient : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly Task<Exception?> _asking;
    private int _answers;
    private long _longest;

    public BusyClient(Daemon daemon)
    {
        string token = daemon.Token;
        _asking = Task.Run<Exception?>(() => Record.Exception(() =>
        {
            using ApiClient client = daemon.As(token);
            while (!_stop.IsCancellationRequested)
            {
                long start = Stopwatch.GetTimestamp();
                client.Get("/v1/stats").Expect(200);
                _longest = Math.Max(_longest, Stopwatch.GetElapsedTime(start).Ticks);
                Interlocked.Increment(ref _answers);
                Thread.Sleep(5);
            }
        }));
        Eventually.Holds(() => Volatile.Read(ref _answers) > 0, "the first answer");
    }

    /// <summary>The longest wait for an answer.</summary>
    public TimeSpan Longest => new(Interlocked.Read(ref _longest));

    /// <summary>Its one connection is still open and is answered.</summary>
    public void AssertWasServed()
    {
        int before = Volatile.Read(ref _answers);
        Eventually.Holds(() => _asking.IsCompleted || Volatile.Read(ref _answers) > before + 5, "further answers");
        Dispose();
        Assert.Null(_asking.Result);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _asking.Wait();
    }
}
