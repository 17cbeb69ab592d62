using System.Diagnostics.CodeAnalysis;
using Couic.Native;

namespace Couic.Http;

/// <summary>
/// Ready connections, round-robin by caller, so that one with thousands of connections delays another by one quantum at most.
/// For the event loop's thread.
/// </summary>
internal sealed class RoundRobinScheduler
{
    /// <summary>Connections of a caller that are served in a row.</summary>
    public const int Quantum = RequestBatch.MaxConnections / 2;

    private readonly Queue<Caller> _next = new();
    private int _leftOfQuantum = Quantum;

    public bool IsEmpty => _next.Count == 0;

    /// <summary>Adds events to a connection, which keeps its place if it is queued.</summary>
    public void Enqueue(Connection connection, PollEvents events)
    {
        bool isQueued = connection.Pending != PollEvents.None;
        connection.Pending |= events;
        if (isQueued || events == PollEvents.None)
        {
            return;
        }

        Caller caller = connection.Caller;
        if (!caller.HasReady)
        {
            _next.Enqueue(caller);
        }

        caller.Enqueue(connection);
    }

    public bool TryDequeue([NotNullWhen(true)] out Connection? connection)
    {
        if (!_next.TryPeek(out Caller? caller))
        {
            connection = null;
            return false;
        }

        connection = caller.Dequeue();
        if (--_leftOfQuantum == 0 || !caller.HasReady)
        {
            _leftOfQuantum = Quantum;
            _next.Dequeue();
            if (caller.HasReady)
            {
                _next.Enqueue(caller);
            }
        }

        return true;
    }
}
