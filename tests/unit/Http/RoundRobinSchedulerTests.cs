using Couic.Http;
using Couic.Native;
using Couic.Tests.Api;
using Xunit;

namespace Couic.Tests.Http;

public sealed class RoundRobinSchedulerTests : IDisposable
{
    private readonly ApiRig _rig = new();
    private readonly RoundRobinScheduler _scheduler = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void ACallerWithThousandsOfConnections_DelaysAnotherByOneQuantum()
    {
        var greedy = new Caller(CallerId.OfProcess(1));
        Connection modest = Create(new Caller(CallerId.OfProcess(2)));
        for (int i = 0; i < 1_000; i++)
        {
            _scheduler.Enqueue(Create(greedy), PollEvents.Readable);
        }

        _scheduler.Enqueue(modest, PollEvents.Readable);
        Connection[] order = [.. DequeueAll()];
        Assert.Equal(1_001, order.Length);
        Assert.Equal(RoundRobinScheduler.Quantum, Array.IndexOf(order, modest));
    }

    [Fact]
    public void AConnection_IsQueuedOnceWithAllItsEvents()
    {
        Connection connection = Create(new Caller(CallerId.OfProcess(1)));
        _scheduler.Enqueue(connection, PollEvents.Readable);
        _scheduler.Enqueue(connection, PollEvents.Writable);
        Assert.Equal(PollEvents.Readable | PollEvents.Writable, connection.Pending);
        Assert.Equal([connection], DequeueAll());
        Assert.True(_scheduler.IsEmpty);
    }

    private Connection Create(Caller caller) => new(_rig.Server, null!, 0, caller);

    private IEnumerable<Connection> DequeueAll()
    {
        while (_scheduler.TryDequeue(out Connection? connection))
        {
            yield return connection;
        }
    }
}
