using Couic.Native;

namespace Couic.Http;

/// <summary>
/// Executes requests that were left to a batch, in few system calls. It runs on the event loop's thread before any response is sent, and
/// hands a response to each <see cref="PendingResponse"/>.
/// </summary>
internal interface IBatchHandler
{
    void Execute();
}

/// <summary>A request that was left to a batch, and what its response needs; its connection reads on.</summary>
internal readonly record struct PendingResponse(Connection Connection, Route Route, IPrincipal? Principal)
{
    /// <summary>Makes a response ready for this request.</summary>
    public void Begin(Response response) => response.Begin(Route, Principal, Connection.Address);

    /// <summary>Writes the response; those of a connection are written in the order of its requests.</summary>
    public void Write(Response response) => Connection.WriteBatched(response);

    /// <summary>Logs a bug, and makes it the response.</summary>
    public void Fail(Response response, Exception fault) => Connection.Fail(response, fault);

    /// <summary>Ends the connection without a response.</summary>
    public void Abandon(Exception fault) => Connection.Abandon(fault);
}

/// <summary>
/// Group commit: requests of several connections are executed as one, then the responses are sent, so that a client that waits for several
/// is woken once. For the event loop's thread.
/// </summary>
/// <param name="hasOthers">Whether other connections wait to be served.</param>
internal sealed class RequestBatch(Func<bool> hasOthers)
{
    /// <summary>Connections of a batch.</summary>
    public const int MaxConnections = 16;

    /// <summary>Requests of a batch of several connections: each of their clients has others that wait.</summary>
    private const int MaxRequests = 32;

    /// <summary>Requests of a connection that is alone: few enough that its client and the server work at the same time.</summary>
    private const int MaxRequestsAlone = 8;

    private List<Connection> _pendingSend = new(MaxConnections);
    private List<Connection> _sending = new(MaxConnections);
    private IBatchHandler? _handler;

    /// <summary>Requests without a response.</summary>
    private int _requests;

    public bool IsFull => _pendingSend.Count >= MaxConnections || _requests >= MaxRequests;

    /// <summary>
    /// Answer before reading on: whether a connection with so many requests in the batch should send their responses before it reads more.
    /// </summary>
    public bool ShouldAnswerFirst(int requests) => requests >= MaxRequestsAlone && (_requests >= MaxRequests || !hasOthers());

    /// <summary>Adds a request; its handler is executed before the next responses are sent.</summary>
    public void Add(IBatchHandler handler)
    {
        if (_handler != handler)
        {
            Execute();
            _handler = handler;
        }

        _requests++;
    }

    /// <summary>Executes the requests of the batch; then all their responses are written, and not sent.</summary>
    public void Execute()
    {
        if (_handler is not { } handler)
        {
            return;
        }

        _handler = null;
        _requests = 0;
        using (BatchClock.Freeze())
        {
            handler.Execute();
        }
    }

    /// <summary>Has the responses of a connection sent with the batch.</summary>
    public void EnqueueSend(Connection connection) => _pendingSend.Add(connection);

    /// <summary>Executes the requests and sends the responses, also of the connections that read on afterwards.</summary>
    public void Complete()
    {
        Execute();
        while (_pendingSend.Count > 0)
        {
            (_pendingSend, _sending) = (_sending, _pendingSend);
            foreach (Connection connection in _sending)
            {
                connection.OnBatchCompleted();
            }

            _sending.Clear();
            Execute();
        }
    }
}
