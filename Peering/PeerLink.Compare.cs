using Couic.Store;

namespace Couic.Peering;

internal sealed partial class PeerLink
{
    /// <summary>How long one link may keep others from fetching many records.</summary>
    private static readonly TimeSpan LongComparison = TimeSpan.FromSeconds(10);

    private Comparison? _comparison;
    private long _comparisonSince;

    private void Begin(PolicyState state, Comparison comparison)
    {
        if (comparison.IsComplete)
        {
            // What differed when the hello was sent has come as jobs before its answer.
            Completed(state, comparison.MarkNode, comparison.Mark);
        }
        else
        {
            _comparisonSince = Now;
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
        else if (comparison.Crowded is { } leaf)
        {
            bool isDivided = comparison.Parts.Count > 0;
            byte[] question = isDivided ? SyncMessage.AskParts(comparison.Key, leaf, comparison.Parts) : SyncMessage.AskPartSums(comparison.Key, leaf);
            Post(comparison.Policy, PeerVerb.Sync, question, answer =>
            {
                if (isDivided)
                {
                    OnParts(comparison, index, answer);
                }
                else
                {
                    OnPartSums(comparison, index, answer);
                }
            });
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
        int next = 0;
        bool isCrowded = false;
        DateTimeOffset writtenAt = default;
        if (!answer.IsSuccess || !SyncRecords.TryRead(answer.Body.Span, SyncKind.Leaves, out next, out isCrowded, out writtenAt, records)
            || next < comparison.Ranges[0].First + (isCrowded ? 0 : 1))
        {
            FailOf(comparison, answer);
            return;
        }

        Take(comparison, index, records, writtenAt);
        if (isCrowded)
        {
            comparison.Divide(next, (ulong)_engine.Jitter.NextInt64() ^ _engine.Keys.Own);
        }
        else
        {
            comparison.ContinueFrom(next);
        }

        EndIfComplete(comparison);
    }

    private void OnPartSums(Comparison comparison, ReplicaIndex index, in PeerAnswer answer)
    {
        var sums = new ulong[KeyedParts.Count];
        if (!answer.IsSuccess || !SyncMessage.TryReadPartSums(answer.Body.Span, sums))
        {
            FailOf(comparison, answer);
            return;
        }

        Succeed();
        comparison.AddParts(index, sums);
        EndIfComplete(comparison);
    }

    private void OnParts(Comparison comparison, ReplicaIndex index, in PeerAnswer answer)
    {
        var records = new List<RemoteChange>();
        int next = 0;
        DateTimeOffset writtenAt = default;
        if (!answer.IsSuccess || !SyncRecords.TryRead(answer.Body.Span, SyncKind.Parts, out next, out _, out writtenAt, records)
            || next <= comparison.Parts[0].First)
        {
            FailOf(comparison, answer);
            return;
        }

        Take(comparison, index, records, writtenAt);
        comparison.ContinueFromPart(next);
        EndIfComplete(comparison);
    }

    /// <summary>Takes the records of an answer in.</summary>
    private void Take(Comparison comparison, ReplicaIndex index, List<RemoteChange> records, DateTimeOffset writtenAt)
    {
        Succeed();
        TimeSpan transit = PeeringEngine.Transit(PeeringEngine.Shifted(_engine.Time.GetUtcNow(), _offset.Value ?? TimeSpan.Zero) - writtenAt);
        if (transit > TimeSpan.Zero)
        {
            records = records.ConvertAll(record => record with { Left = record.Left - transit });
        }

        ApplyCounts counts = _engine.Apply(index.Policy, records, System.Text.Encoding.UTF8.GetBytes(Settings.Host));
        comparison.Records += records.Count;
        comparison.Applied += counts.Applied;
        comparison.Refused += counts.NoRoom + counts.FromTheFuture;
        _recordsFetched += records.Count;
        if (counts.FromTheFuture > 0)
        {
            NoteFailure($"{counts.FromTheFuture} of its records are stamped more than 24 h ahead of this node's clock and were refused");
        }
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

        if (comparison.Refused > 0)
        {
            StateOf(comparison.Policy).NextComparison = After(RecheckInterval);
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
