using Couic.Http;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>Single changes of entries that requests have asked for, applied in one batch. For the event loop's thread.</summary>
/// <param name="complete">Logs and answers a change that was made or refused.</param>
internal sealed class EntryBatch(RuleStore store, EntryBatch.Completion complete) : IBatchHandler
{
    private readonly ChangeRequest[] _changes = new ChangeRequest[RuleStore.MaxBatch];
    private readonly (PendingResponse Pending, ChangeWarnings? Warnings)[] _requests = new (PendingResponse, ChangeWarnings?)[RuleStore.MaxBatch];
    private readonly Response _response = new();
    private int _count;

    public delegate void Completion(Response response, in ChangeRequest change, ChangeWarnings? warnings);

    /// <summary>A slot for a change, to be filled at once and passed to <see cref="Apply"/>: in the batch, or for a change that cannot be batched.</summary>
    public ref ChangeRequest Add(Exchange exchange, ChangeWarnings? warnings)
    {
        if (!exchange.TryBatch(this))
        {
            var alone = new ChangeRequest[1];
            return ref alone[0];
        }

        if (_count == _changes.Length)
        {
            Execute();
        }

        _requests[_count] = (exchange.Pending, warnings);
        return ref _changes[_count++];
    }

    /// <summary>Applies and answers a change that is not in the batch.</summary>
    public void Apply(Exchange exchange, ref ChangeRequest change, ChangeWarnings? warnings)
    {
        if (!exchange.IsBatched)
        {
            store.Apply(new Span<ChangeRequest>(ref change));
            complete(exchange, change, warnings);
        }
    }

    public void Execute()
    {
        Span<ChangeRequest> changes = _changes.AsSpan(0, _count);
        _count = 0;
        Exception? failure = TryApply(changes);
        for (int i = 0; i < changes.Length; i++)
        {
            Answer(_requests[i].Pending, changes[i], _requests[i].Warnings, failure);
        }

        _requests.AsSpan(0, changes.Length).Clear();
        changes.Clear();
    }

    /// <summary>A bug must not end the event loop.</summary>
    private Exception? TryApply(Span<ChangeRequest> changes)
    {
        try
        {
            store.Apply(changes);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    /// <summary>An answer that cannot be written ends its own connection: the client would wait for it.</summary>
    private void Answer(in PendingResponse pending, in ChangeRequest change, ChangeWarnings? warnings, Exception? failure)
    {
        try
        {
            pending.Begin(_response);
            if (failure is null)
            {
                failure = TryComplete(change, warnings);
            }

            if (failure is not null)
            {
                pending.Fail(_response, failure);
            }

            pending.Write(_response);
        }
        catch (Exception e)
        {
            pending.Abandon(e);
        }
    }

    private Exception? TryComplete(in ChangeRequest change, ChangeWarnings? warnings)
    {
        try
        {
            complete(_response, change, warnings);
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }
}
