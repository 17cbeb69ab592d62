using Couic.Store;

namespace Couic.Peering;

internal sealed partial class PeerLink
{
    private Comparison? _comparison;

    private void Begin(PolicyState state, Comparison comparison)
    {
        if (comparison.IsComplete)
        {
            // What differed when the hello was sent has come as jobs before its answer.
            Completed(state, comparison.MarkNode, comparison.Mark);
        }
        else
        {
            _comparison = comparison;
        }
    }

    private bool TryContinueComparison()
    {
        if (_comparison is not { } comparison)
        {
            return false;
        }

        if (_engine.IndexOf(comparison.Policy) is not { } index
            || (comparison.LeafCount > Comparison.BulkLeaves && !_engine.TryTakeBulk(this)))
        {
            EndComparison();
            return false;
        }

        if (comparison.Branches.Count > 0)
        {
            Post(comparison.Policy, PeerVerb.Sync, SyncMessage.AskBranches(comparison.Key, comparison.Branches), answer => OnBranches(comparison, index, answer));
        }
        else
        {
            Post(comparison.Policy, PeerVerb.Sync, SyncMessage.AskLeaves(comparison.Key, comparison.Ranges), answer => OnLeaves(comparison, index, answer));
        }

        return true;
    }

    private void OnBranches(Comparison comparison, ReplicaIndex index, in PeerAnswer answer)
    {
        ulong[] sums = [];
        if (!answer.IsSuccess || !SyncMessage.TryReadBranchAnswer(answer.Body.Span, comparison.Branches.Count, out sums))
        {
            FailOf(comparison, answer);
            return;
        }

        Succeed();
        comparison.AddLeaves(index, sums);
        EndIfComplete(comparison);
    }

    private void OnLeaves(Comparison comparison, ReplicaIndex index, in PeerAnswer answer)
    {
        var records = new List<RemoteChange>();
        int nextLeaf = 0;
        DateTimeOffset writtenAt = default;
        if (!answer.IsSuccess || !SyncRecords.TryRead(answer.Body.Span, out nextLeaf, out writtenAt, records)
            || nextLeaf <= comparison.Ranges[0].First)
        {
            FailOf(comparison, answer);
            return;
        }

        Succeed();
        TimeSpan transit = PeeringEngine.Transit(PeeringEngine.Shifted(_engine.Time.GetUtcNow(), _offset.Value ?? TimeSpan.Zero) - writtenAt);
        if (transit > TimeSpan.Zero)
        {
            records = records.ConvertAll(record => record with { Left = record.Left - transit });
        }

        comparison.Records += records.Count;
        ApplyCounts counts = _engine.Apply(index.Policy, records, System.Text.Encoding.UTF8.GetBytes(Settings.Host));
        comparison.Applied += counts.Applied;
        if (counts.FromTheFuture > 0)
        {
            NoteFailure($"{counts.FromTheFuture} of its records are stamped more than 24 h ahead of this node's clock and were refused");
        }

        _recordsFetched += records.Count;
        comparison.ContinueFrom(nextLeaf);
        EndIfComplete(comparison);
    }

    private void EndIfComplete(Comparison comparison)
    {
        if (!comparison.IsComplete)
        {
            return;
        }

        if (comparison.Applied > 0)
        {
            PeeringLog.Fetched(_engine.Log, Settings.ToString(), comparison.Policy.Name(), comparison.Records, comparison.Applied);
        }

        EndComparison();
        Completed(StateOf(comparison.Policy), comparison.MarkNode, comparison.Mark);
    }

    /// <summary>All that the peer had at its mark is known here.</summary>
    private void Completed(PolicyState state, ulong node, long mark)
    {
        state.Suspect = false;
        state.ComparedAt = Now;
        state.Mark = (node, mark);
        _engine.Joined(state.Policy);
    }

    private void EndComparison()
    {
        _comparison = null;
        _engine.ReleaseBulk(this);
    }

    /// <summary>The answer to a question about rules is none; a key that was refused is not shown again.</summary>
    private void FailOf(Comparison comparison, in PeerAnswer answer)
    {
        if (answer.Status == 401)
        {
            _engine.Keys.Reject(comparison.MarkNode, comparison.Key);
        }

        FailOf(answer);
    }

    private void FailOf(in PeerAnswer answer) => Fail(
        answer.Failure != PeerFailure.None ? answer.Failure : answer.IsSuccess ? PeerFailure.Garbage : PeerFailure.Refused,
        answer.Detail ?? Unexpected(answer));
}
