namespace Couic.Store;

/// <summary>
/// Makes many requests in batches, in three overlapping stages: while one batch is written to the data plane, the next one is planned
/// and the one before it is committed. One caller at a time.
/// </summary>
internal sealed class BatchPipeline
{
    private readonly RuleStore _store;
    private readonly Lock _gate = new();
    private readonly StealableTask _write;
    private ChangeBatch _writing;
    private ChangeBatch _planning;
    private int _callers;

    public BatchPipeline(RuleStore store, ChangeBatch first, ChangeBatch second)
    {
        _store = store;
        _writing = first;
        _planning = second;
        _write = new StealableTask(() => _writing.TryWrite());
    }

    /// <summary>Callers of <see cref="Run"/> that wait for the pipeline or have it.</summary>
    public ref int Callers => ref _callers;

    public void Run(Span<ChangeRequest> requests)
    {
        Interlocked.Increment(ref _callers);
        try
        {
            lock (_gate)
            {
                try
                {
                    RunStages(requests);
                }
                catch (Exception e)
                {
                    End(requests, e);
                    throw;
                }
            }
        }
        finally
        {
            Interlocked.Decrement(ref _callers);
        }
    }

    private void RunStages(Span<ChangeRequest> requests)
    {
        for (int done = 0; done < requests.Length || _writing.Requests > 0;)
        {
            done += _store.PlanBatch(_planning, requests, done);
            if (done == requests.Length && _writing.Requests == 0)
            {
                // All requests are in one batch: there is nothing to overlap.
                if (!_planning.Mutations.IsEmpty)
                {
                    _planning.TryWrite();
                }

                _store.CommitBatch(_planning, requests);
                return;
            }

            _write.RunOrWait();
            (_writing, _planning) = (_planning, _writing);
            if (!_writing.Mutations.IsEmpty)
            {
                _write.Queue();
            }

            _store.CommitBatch(_planning, requests);
        }
    }

    /// <summary>
    /// After an exception: commits what was written and rolls back what was only planned. An entry that stayed busy would block every
    /// later change.
    /// </summary>
    private void End(Span<ChangeRequest> requests, Exception cause)
    {
        _write.RunOrWait();
        _store.CommitBatch(_writing, requests);
        _planning.Refuse(cause);
        _store.CommitBatch(_planning, requests);
    }
}
