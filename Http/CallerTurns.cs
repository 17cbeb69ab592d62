using Couic.Native;

namespace Couic.Http;

/// <summary>
/// Connections that have something to do, by the process that opened them: processes take turns, so that who has thousands of
/// connections keeps no other waiting for longer than a turn. For the event loop's thread.
/// </summary>
internal sealed class CallerTurns
{
    /// <summary>Connections of a process that are served in a row.</summary>
    public const int TurnSize = HttpServer.GroupSize / 2;

    private readonly Queue<Caller> _next = new();
    private int _leftOfTurn = TurnSize;

    public bool IsEmpty => _next.Count == 0;

    /// <summary>Notes events of a connection; it keeps the place that it has.</summary>
    public void Enter(HttpConnection connection, PollEvents events)
    {
        bool isInLine = connection.Pending != PollEvents.None;
        connection.Pending |= events;
        if (isInLine || events == PollEvents.None)
        {
            return;
        }

        Caller caller = connection.Caller;
        if (!caller.HasLine)
        {
            _next.Enqueue(caller);
        }

        caller.Enter(connection);
    }

    public bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out HttpConnection? connection)
    {
        if (!_next.TryPeek(out Caller? caller))
        {
            connection = null;
            return false;
        }

        connection = caller.Leave();
        if (--_leftOfTurn == 0 || !caller.HasLine)
        {
            _leftOfTurn = TurnSize;
            _next.Dequeue();
            if (caller.HasLine)
            {
                _next.Enqueue(caller);
            }
        }

        return true;
    }
}
