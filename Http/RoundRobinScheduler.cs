using System.Diagnostics.CodeAnalysis;
using Couic.Native;

namespace Couic.Http;

/// <summary>The connections of one process (unix(7), SO_PEERCRED), and a queue of those that are ready. For the event loop's thread.</summary>
internal sealed class ClientProcess(int id)
{
    private Connection? _first;
    private Connection? _last;

    public int Id { get; } = id;

    /// <summary>Open connections.</summary>
    public int Connections { get; set; }

    public bool HasReady => _first is not null;

    public void Enqueue(Connection connection)
    {
        if (_last is null)
        {
            _first = connection;
        }
        else
        {
            _last.NextReady = connection;
        }

        _last = connection;
    }

    public Connection Dequeue()
    {
        Connection connection = _first!;
        _first = connection.NextReady;
        _last = _first is null ? null : _last;
        connection.NextReady = null;
        return connection;
    }
}

/// <summary>
/// Ready connections, round-robin by client process, so that a process with thousands of connections delays another by one quantum at most.
/// For the event loop's thread.
/// </summary>
internal sealed class RoundRobinScheduler
{
    /// <summary>Connections of a process that are served in a row.</summary>
    public const int Quantum = RequestBatch.MaxConnections / 2;

    private readonly Queue<ClientProcess> _next = new();
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

        ClientProcess process = connection.Process;
        if (!process.HasReady)
        {
            _next.Enqueue(process);
        }

        process.Enqueue(connection);
    }

    public bool TryDequeue([NotNullWhen(true)] out Connection? connection)
    {
        if (!_next.TryPeek(out ClientProcess? process))
        {
            connection = null;
            return false;
        }

        connection = process.Dequeue();
        if (--_leftOfQuantum == 0 || !process.HasReady)
        {
            _leftOfQuantum = Quantum;
            _next.Dequeue();
            if (process.HasReady)
            {
                _next.Enqueue(process);
            }
        }

        return true;
    }
}
