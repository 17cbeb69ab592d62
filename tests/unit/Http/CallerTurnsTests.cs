using Couic.Http;
using Couic.Native;
using Couic.Tests.Api;
using Xunit;

namespace Couic.Tests.Http;

public sealed class CallerTurnsTests : IDisposable
{
    private readonly ApiRig _rig = new();

    public void Dispose() => _rig.Dispose();

    [Fact]
    public void AProcessWithThousandsOfConnectionsKeepsAnotherWaitingForOneTurn()
    {
        var turns = new CallerTurns();
        var greedy = new Caller(1);
        HttpConnection modest = Connection(new Caller(2));
        for (int i = 0; i < 1_000; i++)
        {
            turns.Enter(Connection(greedy), PollEvents.Readable);
        }

        turns.Enter(modest, PollEvents.Readable);
        HttpConnection[] order = [.. Taken(turns)];
        Assert.Equal(1_001, order.Length);
        Assert.Equal(CallerTurns.TurnSize, Array.IndexOf(order, modest));
    }

    [Fact]
    public void AConnectionIsInTheLineOnceWithAllItsEvents()
    {
        var turns = new CallerTurns();
        HttpConnection connection = Connection(new Caller(1));
        turns.Enter(connection, PollEvents.Readable);
        turns.Enter(connection, PollEvents.Writable);
        Assert.Equal(PollEvents.Readable | PollEvents.Writable, connection.Pending);
        Assert.Equal([connection], Taken(turns));
        Assert.True(turns.IsEmpty);
    }

    private HttpConnection Connection(Caller caller) => new(_rig.Server, null!, 0, caller);

    private static IEnumerable<HttpConnection> Taken(CallerTurns turns)
    {
        while (turns.TryTake(out HttpConnection? connection))
        {
            yield return connection;
        }
    }
}
