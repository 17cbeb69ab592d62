using System.Buffers;
using Couic.Store;

namespace Couic.Peering;

internal sealed partial class PeerLink
{
    /// <summary>Jobs of a batch: about 170 KB of JSON, far below any body limit.</summary>
    private const int MaxBatch = 1_000;

    private readonly List<OutgoingJob> _batch = [];

    /// <summary>Used again for each batch: one at a time is on its way, and a new one each time would be a large object.</summary>
    private readonly ArrayBufferWriter<byte> _body = new();
    private readonly Queue<Single> _singles = new();
    private int _maxBatch = MaxBatch;
    private bool _wasPlain;
    private bool _isOff;
    private ReplicaIndex? _batchIndex;

    /// <summary>Sends the next batch of what was queued at the last tick.</summary>
    private bool TryJobs()
    {
        foreach (PolicyState state in _states)
        {
            if (state.Due > 0 && !state.Refused && _engine.IndexOf(state.Policy) is { } index)
            {
                _batch.Clear();
                index.TakeBatch(Number, Math.Min(state.Due, _maxBatch), _batch);
                state.Due = _batch.Count == 0 ? 0 : state.Due - _batch.Count;
                if (_batch.Count > 0 && TrySend(index))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private bool TrySend(ReplicaIndex index)
    {
        _batchIndex = index;
        DateTimeOffset? sentAt = _offset.Value is { } offset ? PeeringEngine.Shifted(_engine.Time.GetUtcNow(), offset) : null;
        ArrayBufferWriter<byte> body = _body;
        body.ResetWrittenCount();
        PeerJobWriter.Begin(body);
        foreach (OutgoingJob job in _batch)
        {
            AppendJob(body, job, sentAt);
            sentAt = null;
        }

        PeerJobWriter.End(body);
        if (body.WrittenCount == 2)
        {
            index.Confirm(Number, _batch); // nothing of it concerns the peer
            _batch.Clear();
            return false;
        }

        Post(index.Policy, PeerVerb.Jobs, body.WrittenMemory, answer => OnBatchAnswer(index, answer));
        return true;
    }

    /// <summary>
    /// A plain node cannot replace: it is told to remove what it may hold and to add anew. What it never heard of and is
    /// gone again does not concern it.
    /// </summary>
    private void AppendJob(ArrayBufferWriter<byte> body, in OutgoingJob job, DateTimeOffset? sentAt)
    {
        bool isAdd = job.State == ReplicaState.Live;
        if (_wire == Wire.Plain)
        {
            if (job.Known)
            {
                PeerJobWriter.Append(body, job, isAdd: false, stamped: false, null);
            }

            if (isAdd)
            {
                PeerJobWriter.Append(body, job, isAdd: true, stamped: false, null);
            }

            return;
        }

        PeerJobWriter.Append(body, job, isAdd, stamped: true, sentAt);
    }

    private void OnBatchAnswer(ReplicaIndex index, in PeerAnswer answer)
    {
        if (answer.IsSuccess)
        {
            Succeed();
            _jobsSent += _batch.Count;
            _maxBatch = Math.Min(MaxBatch, _maxBatch * 2);
            index.Confirm(Number, _batch);
        }
        else if (answer.Status == 413 && _maxBatch > 1)
        {
            _maxBatch /= 2;
            index.Return(Number, _batch);
        }
        else if (_wire == Wire.Plain && answer.Status is 409 or 404 || answer.Status is 400 or 422)
        {
            // It stopped at some job, or one of them cannot be taken: each goes on its own, so that none behind is lost.
            Divide();
        }
        else if (answer.Status == 401)
        {
            index.Return(Number, _batch);
            OnPolicyRefused(StateOf(index.Policy));
        }
        else
        {
            index.Return(Number, _batch);
            FailOf(answer);
        }

        _batch.Clear();
    }

    /// <summary>Puts back what may not have arrived, whatever it was that went wrong.</summary>
    private void ReturnBatch()
    {
        _batchIndex?.Return(Number, _batch);
        _batchIndex?.Return(Number, [.. _singles.Where(single => single.IsLast).Select(single => single.Job)]);
        _batch.Clear();
        _singles.Clear();
    }

    private void Divide()
    {
        foreach (OutgoingJob job in _batch)
        {
            bool isAdd = job.State == ReplicaState.Live;
            if (_wire != Wire.Plain || !isAdd || job.Known)
            {
                bool removes = _wire == Wire.Plain || !isAdd;
                _singles.Enqueue(new Single(job, IsAdd: !removes, IsLast: _wire != Wire.Plain || !isAdd));
            }

            if (_wire == Wire.Plain && isAdd)
            {
                _singles.Enqueue(new Single(job, IsAdd: true, IsLast: true));
            }
        }
    }

    private bool TryContinueSingles()
    {
        if (!_singles.TryPeek(out Single? single))
        {
            return false;
        }

        if (_batchIndex is not { } index || _engine.IndexOf(index.Policy) != index)
        {
            _singles.Clear(); // the policy was switched off meanwhile
            return false;
        }

        var body = new ArrayBufferWriter<byte>(512);
        PeerJobWriter.Begin(body);
        PeerJobWriter.Append(body, single.Job, single.IsAdd, stamped: _wire == Wire.Comparing, null);
        PeerJobWriter.End(body);
        Post(index.Policy, PeerVerb.Jobs, body.WrittenMemory, answer => OnSingleAnswer(index, answer));
        return true;
    }

    private void OnSingleAnswer(ReplicaIndex index, in PeerAnswer answer)
    {
        bool isPresent = _wire == Wire.Plain && answer.Status == 409;
        bool isAbsent = _wire == Wire.Plain && answer.Status == 404 && !_singles.Peek().IsAdd;
        bool isHopeless = answer.Status is 400 or 422;
        if (!answer.IsSuccess && !isPresent && !isAbsent && !isHopeless)
        {
            index.Return(Number, [.. _singles.Where(single => single.IsLast).Select(single => single.Job)]);
            _singles.Clear();
            FailOf(answer);
            return;
        }

        Succeed();
        Single done = _singles.Dequeue();
        if (isHopeless)
        {
            PeeringLog.JobRefused(_engine.Log, Settings.ToString(), index.Policy.Name(), done.Job.Cidr.ToString(), answer.Status);
        }

        if (done.IsLast)
        {
            _jobsSent++;
            index.Confirm(Number, [done.Job]);
        }
    }

    /// <summary>One job that travels alone; the last one of its record confirms it.</summary>
    private sealed record Single(OutgoingJob Job, bool IsAdd, bool IsLast);
}
