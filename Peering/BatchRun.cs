using System.Text;
using Couic.Store;
using Microsoft.Extensions.Logging;

namespace Couic.Peering;

/// <summary>One batch of a peer while it is applied, so much of it at a time as the caller has time for.</summary>
public sealed class BatchRun
{
    private readonly PeeringEngine _engine;
    private readonly ILogger _log;
    private readonly Policy _policy;
    private readonly IncomingBatch _batch;
    private readonly string _client;
    private readonly byte[] _creator;
    private int _done;

    internal BatchRun(PeeringEngine engine, ILogger log, Policy policy, IncomingBatch batch, string client)
    {
        _engine = engine;
        _log = log;
        _policy = policy;
        _batch = batch;
        _client = client;
        _creator = Encoding.UTF8.GetBytes(client);
    }

    public ApplyCounts Counts { get; } = new();

    /// <summary>Applies jobs until all are done or the time is over.</summary>
    /// <returns>Whether all are done.</returns>
    public bool Run(TimeSpan limit)
    {
        if (_done < _batch.Jobs.Count)
        {
            _done = _engine.ApplyJobs(_policy, _batch, _done, limit, _creator, Counts);
        }

        bool isDone = _done == _batch.Jobs.Count;
        if (isDone)
        {
            PeeringLog.Batch(
                _log, _client, _policy.Name(), _batch.Jobs.Count, Counts.Applied, Counts.NoNews, Counts.OwnedBySet, Counts.Refused + Counts.NoRoom);
        }

        return isDone;
    }
}
