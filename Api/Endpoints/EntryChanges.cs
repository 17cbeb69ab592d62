using Couic.Http;
using Couic.Store;

namespace Couic.Api.Endpoints;

/// <summary>
/// Single changes of entries that requests have asked for, made together. For the event loop's thread.
/// </summary>
/// <param name="complete">Logs and answers a change that was made or refused.</param>
internal sealed class EntryChanges(RuleStore store, EntryChanges.Completion complete) : IGroupWork
{
    private readonly ChangeRequest[] _changes = new ChangeRequest[RuleStore.MaxBatch];
    private readonly (DeferredRequest Request, ChangeWarnings? Warnings)[] _requests = new (DeferredRequest, ChangeWarnings?)[RuleStore.MaxBatch];
    private Exchange? _late;
    private int _count;

    public delegate void Completion(Exchange exchange, in ChangeRequest change, ChangeWarnings? warnings);

    /// <summary>The place of a change, to be filled at once and then made (<see cref="Make"/>): with others and answered later, or by itself.</summary>
    public ref ChangeRequest Begin(Exchange exchange, ChangeWarnings? warnings)
    {
        if (!exchange.TryDefer(this))
        {
            var alone = new ChangeRequest[1];
            return ref alone[0];
        }

        if (_count == _changes.Length)
        {
            Run();
        }

        _late ??= exchange.Sibling();
        _requests[_count] = (exchange.Deferred, warnings);
        return ref _changes[_count++];
    }

    /// <summary>Makes and answers a change that is not made with others.</summary>
    public void Make(Exchange exchange, ref ChangeRequest change, ChangeWarnings? warnings)
    {
        if (!exchange.IsDeferred)
        {
            store.Apply(new Span<ChangeRequest>(ref change));
            complete(exchange, change, warnings);
        }
    }

    public void Run()
    {
        Span<ChangeRequest> changes = _changes.AsSpan(0, _count);
        _count = 0;
        Exception? failure = Try(changes);
        for (int i = 0; i < changes.Length; i++)
        {
            AnswerOne(_requests[i], changes[i], failure);
        }

        _requests.AsSpan(0, changes.Length).Clear();
        changes.Clear();
    }

    /// <summary>An answer that cannot be written ends its own connection: the client would wait for it.</summary>
    private void AnswerOne((DeferredRequest Request, ChangeWarnings? Warnings) one, in ChangeRequest change, Exception? failure)
    {
        try
        {
            _late!.Resume(one.Request);
            Answer(_late, change, one.Warnings, failure);
            _late.AnswerDeferred();
        }
        catch (Exception e)
        {
            one.Request.Abandon(e);
        }
    }

    /// <summary>A bug must not end the event loop.</summary>
    private Exception? Try(Span<ChangeRequest> changes)
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

    private void Answer(Exchange exchange, in ChangeRequest change, ChangeWarnings? warnings, Exception? failure)
    {
        try
        {
            if (failure is null)
            {
                complete(exchange, change, warnings);
            }
            else
            {
                exchange.FailInternally(failure);
            }
        }
        catch (Exception e)
        {
            exchange.FailInternally(e);
        }
    }
}
