
namespace Couic.Http;

internal sealed partial class Exchange
{
    /// <summary>Whether the answer comes later, through another exchange.</summary>
    internal bool IsDeferred { get; private set; }

    /// <summary>
    /// Leaves the request to work that is done for a group of them: the handler returns without an answer. False where that is not
    /// possible, and the handler has to go on itself.
    /// </summary>
    public bool TryDefer(IGroupWork work)
    {
        IsDeferred = _connection.TryDefer(work);
        return IsDeferred;
    }

    /// <summary>Has what the group has deferred done first, for a decision that depends on it.</summary>
    public void SettleGroup() => _connection.SettleGroup();

    /// <summary>What is needed to answer a deferred request.</summary>
    public DeferredRequest Deferred => new(_connection, Route!, Principal);

    /// <summary>Another one, for answers to deferred requests.</summary>
    public Exchange Sibling() => new(_connection);

    /// <summary>Becomes that of a request that was deferred, to be answered and handed in with <see cref="AnswerDeferred"/>.</summary>
    public void Resume(in DeferredRequest request)
    {
        _connection = request.Connection;
        Head = _connection.Head;
        Begin();
        Route = request.Route;
        Principal = request.Principal;
    }

    /// <summary>Logs a bug, and answers to it.</summary>
    public void FailInternally(Exception e) => _connection.Fail(this, e);

    /// <summary>Hands the answer in.</summary>
    public void AnswerDeferred() => _connection.TakeDeferred(this);
}

/// <summary>A request that waits for its answer while its connection goes on.</summary>
internal readonly record struct DeferredRequest(HttpConnection Connection, Route Route, IPrincipal? Principal)
{
    /// <summary>Ends the connection, as there will be no answer.</summary>
    public void Abandon(Exception fault) => Connection.Abandon(fault);
}
