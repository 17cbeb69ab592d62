using Couic.Store;

namespace Couic.Peering;

internal sealed partial class PeerSession
{
    /// <summary>Between hellos while no rule changes.</summary>
    private static readonly TimeSpan IdleInterval = TimeSpan.FromSeconds(2);

    /// <summary>Between hellos to a legacy peer, or for a policy that the peer refused.</summary>
    private static readonly TimeSpan RecheckInterval = TimeSpan.FromSeconds(30);

    /// <summary>Between hellos to a node whose peering is off: its operator may be about to configure it.</summary>
    private static readonly TimeSpan OffInterval = TimeSpan.FromSeconds(5);

    /// <summary>Between comparisons of a difference that keeps changing.</summary>
    private static readonly TimeSpan BusyInterval = TimeSpan.FromSeconds(5);

    /// <summary>How long a comparison waits for changes that the peer has queued for this node: a few, or many.</summary>
    private static readonly TimeSpan ShortHold = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan LongHold = TimeSpan.FromSeconds(3);

    /// <summary>How long one session may keep the others from fetching in bulk.</summary>
    private static readonly TimeSpan LongComparison = TimeSpan.FromSeconds(10);

    private AntiEntropySession? _antiEntropy;
    private long _antiEntropySince;

    private void Begin(PolicyState state, AntiEntropySession comparison)
    {
        if (comparison.IsComplete)
        {
            // What differed when the hello was sent arrived as jobs before its answer.
            Completed(state, comparison.MarkNode, comparison.Mark);
        }
        else
        {
            _antiEntropySince = Now;
            _antiEntropy = comparison;
        }
    }

    private bool TryContinueAntiEntropy()
    {
        if (_antiEntropy is not { } comparison)
        {
            return false;
        }

        if (_engine.IndexOf(comparison.Policy) is not { } index
            || (comparison.LeafCount > AntiEntropySession.BulkLeaves && !_engine.TryTakeBulk(this)))
        {
            EndAntiEntropy();
            return false;
        }

        if (comparison.Branches.Count > 0)
        {
            Post(comparison.Policy, PeerVerb.Sync, SyncMessage.AskBranches(comparison.Key, comparison.Branches), answer => OnBranches(comparison, index, answer));
        }
        else if (comparison.Crowded is { } leaf)
        {
            bool isDivided = comparison.Parts.Count > 0;
            byte[] question = isDivided ? SyncMessage.AskParts(comparison.Key, leaf, comparison.Parts, _features) : SyncMessage.AskPartHashes(comparison.Key, leaf);
            Post(comparison.Policy, PeerVerb.Sync, question, answer =>
            {
                if (isDivided)
                {
                    OnParts(comparison, index, answer);
                }
                else
                {
                    OnPartHashes(comparison, index, answer);
                }
            });
        }
        else
        {
            Post(comparison.Policy, PeerVerb.Sync, SyncMessage.AskLeaves(comparison.Key, comparison.Ranges, _features), answer => OnLeaves(comparison, index, answer));
        }

        return true;
    }

    private void OnBranches(AntiEntropySession comparison, RegisterTable index, in PeerAnswer answer)
    {
        ulong[] hashes = [];
        if (!answer.IsSuccess || !SyncMessage.TryReadBranchAnswer(answer.Body.Span, comparison.Branches.Count, out hashes))
        {
            FailOf(comparison, answer);
            return;
        }

        Succeed();
        comparison.AddLeaves(index, hashes);
        EndIfComplete(comparison);
    }

    private void OnLeaves(AntiEntropySession comparison, RegisterTable index, in PeerAnswer answer)
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

        ApplyRecords(comparison, index, records, writtenAt);
        if (isCrowded)
        {
            comparison.SplitLeaf(next, (ulong)_engine.Jitter.NextInt64() ^ _engine.Keys.Own);
        }
        else
        {
            comparison.ContinueFrom(next);
        }

        EndIfComplete(comparison);
    }

    private void OnPartHashes(AntiEntropySession comparison, RegisterTable index, in PeerAnswer answer)
    {
        var hashes = new ulong[KeyedParts.Count];
        if (!answer.IsSuccess || !SyncMessage.TryReadPartHashes(answer.Body.Span, hashes))
        {
            FailOf(comparison, answer);
            return;
        }

        Succeed();
        comparison.AddParts(index, hashes);
        EndIfComplete(comparison);
    }

    private void OnParts(AntiEntropySession comparison, RegisterTable index, in PeerAnswer answer)
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

        ApplyRecords(comparison, index, records, writtenAt);
        comparison.ContinueFromPart(next);
        EndIfComplete(comparison);
    }

    /// <summary>Applies the records of an answer.</summary>
    private void ApplyRecords(AntiEntropySession comparison, RegisterTable index, List<RemoteChange> records, DateTimeOffset writtenAt)
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
        comparison.Refused += counts.TableFull + counts.TooFarAhead;
        _recordsFetched += records.Count;
        if (counts.TooFarAhead > 0)
        {
            NoteFailure($"{counts.TooFarAhead} of its records have versions more than 24 h ahead of this node's clock and were refused");
        }
    }

    private void EndIfComplete(AntiEntropySession comparison)
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

        EndAntiEntropy();
        Completed(StateOf(comparison.Policy), comparison.MarkNode, comparison.Mark);
    }

    /// <summary>This node holds everything that the peer held at its mark.</summary>
    private void Completed(PolicyState state, ulong node, long mark)
    {
        state.NoteComparison(node, mark, Now, isKept: _engine.SyncedUpTo is not null);
        _engine.Joined(state.Policy);
    }

    private void EndAntiEntropy()
    {
        _antiEntropy = null;
        _engine.ReleaseBulk(this);
    }

    /// <summary>The peer did not answer a question about rules; a key that it refused is not sent again.</summary>
    private void FailOf(AntiEntropySession comparison, in PeerAnswer answer)
    {
        if (answer.Status == 401)
        {
            _engine.Keys.Reject(comparison.MarkNode, comparison.Key);
        }

        FailOf(answer);
    }

    private void FailOf(in PeerAnswer answer) => Fail(
        answer.Failure != PeerFailure.None ? answer.Failure : answer.IsSuccess ? PeerFailure.InvalidResponse : PeerFailure.Refused,
        answer.Detail ?? Unexpected(answer));

    private bool TryHello(bool soonest)
    {
        PolicyState? next = null;
        foreach (PolicyState state in _states)
        {
            if (_engine.IndexOf(state.Policy) is not null && (next is null || state.NextHello < next.NextHello))
            {
                next = state;
            }
        }

        if (next is null || (!soonest && Now < next.NextHello))
        {
            return false;
        }

        SendHello(next);
        return true;
    }

    private void SendHello(PolicyState state)
    {
        RegisterTable index = _engine.IndexOf(state.Policy)!;
        state.NoteSync(_engine.SyncedUpTo?.Invoke() ?? long.MinValue);
        SyncHead own = _engine.HeadOf(index, (uint)index.QueueState(Number).Count, state.Mark.Mark, state.Mark.Node) with { Key = _engine.Keys.Own };
        long sentAt = Now;
        state.NextHello = After(RecheckInterval);
        Post(state.Policy, PeerVerb.Sync, SyncMessage.Hello(own), answer => OnHelloAnswer(state, index, own, sentAt, answer));
    }

    private void OnHelloAnswer(PolicyState state, RegisterTable index, in SyncHead own, long sentAt, in PeerAnswer answer)
    {
        if (answer.Failure != PeerFailure.None)
        {
            FailOf(answer);
            return;
        }

        if (answer.Status is 404 or 405 && !answer.IsHypertext)
        {
            BecomeLegacy(index, isOff: RefusalText.Of(answer.Body.Span) == PeeringService.OffMessage);
            return;
        }

        if (answer.Status == 401)
        {
            OnPolicyRefused(state);
            return;
        }

        Span<ulong> hashes = stackalloc ulong[DigestTree.Branches];
        SyncHead peer = default;
        bool hasHashes = false;
        if (!answer.IsSuccess || !SyncMessage.TryReadHelloAnswer(answer.Body.Span, out peer, hashes, out hasHashes))
        {
            Fail(answer.IsSuccess ? PeerFailure.InvalidResponse : PeerFailure.Refused, Unexpected(answer));
            return;
        }

        if (peer.Node != PeerNode)
        {
            _offset.Reset();
        }

        _offset.Add(
            _engine.Time.GetUtcNow(), DateTimeOffset.FromUnixTimeMilliseconds(peer.WallClock), _engine.Time.GetElapsedTime(sentAt));
        if (_engine.ClockObjection(index, peer) is { } objection)
        {
            Fail(PeerFailure.Refused, $"its clock or this node's is wrong: {objection}");
            return;
        }

        _features = (SyncFeatures)peer.Key & _engine.Features;
        BecomeReplicating(peer);
        state.Refused = false;
        index.ObserveTime(peer.Time);
        NoteClock();
        Compare(state, index, own, peer, hasHashes ? hashes : default);
        state.NextHello = NextHello(state, index, sentAt, peer);
    }

    /// <summary>
    /// At the next tick while changes are expected. For a difference that no queue explains the next hello follows at once:
    /// if it shows the same roots, no change in flight will resolve the difference.
    /// </summary>
    private long NextHello(PolicyState state, RegisterTable index, long sentAt, in SyncHead peer)
    {
        long nextTick = sentAt + (long)(PeeringEngine.FlushInterval.TotalSeconds * 0.9 * _engine.Time.TimestampFrequency);
        bool canAsk = _engine.Keys.TryGet(peer.Node, out _);
        bool unexplained = canAsk && state.InSync == false && _antiEntropy is null && peer.Queued == 0 && index.QueueState(Number).Count == 0;
        if (unexplained && !state.LookedTwice)
        {
            state.LookedTwice = true;
            return Now;
        }

        state.LookedTwice = false;
        return (state.InSync == true || !canAsk) && !_engine.IsActive ? After(IdleInterval) : nextTick;
    }

    /// <summary>Starts a comparison if the roots differ and no change in flight explains it.</summary>
    private void Compare(PolicyState state, RegisterTable index, in SyncHead own, in SyncHead peer, ReadOnlySpan<ulong> hashes)
    {
        bool same = own.Root == peer.Root && hashes.IsEmpty;
        state.InSync = same;
        bool newcomer = !_engine.HasJoined(state.Policy);
        if (peer.Queued > AntiEntropySession.BulkLeaves)
        {
            _engine.ExpectsPush = true;
        }

        if (same && !newcomer)
        {
            Completed(state, peer.Node, peer.Mark);
            return;
        }

        var roots = (own.Root, peer.Root);
        TimeSpan suspectFor = state.NeedsComparison ? _engine.Time.GetElapsedTime(state.NeedsComparisonSince) : TimeSpan.MaxValue;
        bool stable = state.LastRoots == roots;
        bool overdue = _engine.Time.GetElapsedTime(state.ComparedAt) > BusyInterval;
        bool held = state.NeedsComparison && !newcomer
            && ((peer.Queued > 0 && suspectFor < ShortHold) || (_engine.ExpectsPush && suspectFor < LongHold));
        state.LastRoots = roots;
        if (_antiEntropy is null && !held && Now >= state.NextComparison && (state.NeedsComparison || newcomer || stable || overdue) && _engine.Keys.TryGet(peer.Node, out ulong key))
        {
            Begin(state, newcomer || hashes.IsEmpty ? AntiEntropySession.OfAll(state.Policy, peer, key) : OwnAgainst(index, peer, key, hashes));
        }
    }

    private static AntiEntropySession OwnAgainst(RegisterTable index, in SyncHead peer, ulong key, ReadOnlySpan<ulong> hashes)
    {
        Span<ulong> own = stackalloc ulong[DigestTree.Branches];
        index.CopyBranchHashes(own);
        return AntiEntropySession.OfBranches(index.Policy, peer, key, own, hashes);
    }

    private void BecomeReplicating(in SyncHead peer)
    {
        if (_phase != Phase.Replicating)
        {
            PeeringLog.Up(_engine.Log, Settings.ToString(), Transport, "couic 2");
        }

        bool another = peer.Node != PeerNode;
        if (another || _phase != Phase.Replicating)
        {
            foreach (PolicyState state in _states)
            {
                state.RequireComparison(Now);
                state.PeerComparedAt = another ? long.MinValue : state.PeerComparedAt;
            }
        }

        if (another)
        {
            PeerNode = peer.Node;
            _engine.Touch();
        }

        if (_isPeeringOff)
        {
            _isPeeringOff = false;
            _lastError = null;
            _lastErrorAt = null;
        }

        _phase = Phase.Replicating;
        Succeed();
    }

    /// <summary>
    /// A legacy peer cannot fetch what it lacks, so it gets every rule once; a rule that it holds already is a conflict there.
    /// </summary>
    /// <param name="isOff">The peer is a couic 2 whose peering is off: it accepts changes, and may be configured soon.</param>
    private void BecomeLegacy(RegisterTable index, bool isOff)
    {
        if (!_isLegacyKnown || _isPeeringOff != isOff)
        {
            PeeringLog.Up(_engine.Log, Settings.ToString(), Transport, isOff ? "its peering is off, it gets changes only" : "couic 1.x, it gets changes only");
        }

        if (!_isLegacyKnown)
        {
            _isLegacyKnown = true;
            index.EnqueueAllLive(Number);
        }

        _isPeeringOff = isOff;
        if (isOff)
        {
            _lastError = "peering is off there ([peering] enabled in its configuration)";
            _lastErrorAt = _engine.Time.GetUtcNow();
        }

        _phase = Phase.Legacy;
        PeerNode = 0;
        foreach (PolicyState state in _states)
        {
            state.InSync = null;
            state.NextHello = After(isOff ? OffInterval : RecheckInterval);
            state.ToSendThisTick = _engine.IndexOf(state.Policy)?.QueueState(Number).Count ?? 0;
        }

        Succeed();
    }

    private void OnPolicyRefused(PolicyState state)
    {
        if (!state.Refused)
        {
            PeeringLog.PolicyRefused(_engine.Log, Settings.ToString(), state.Policy.Name());
        }

        state.Refused = true;
        state.InSync = null;
        state.NextHello = After(RecheckInterval);
        if (_states.All(other => other.Refused || _engine.IndexOf(other.Policy) is null))
        {
            Fail(PeerFailure.Refused, "401: the token is wrong, or not of group peering");
        }
        else if (_phase == Phase.Probing)
        {
            _lastError = $"401 for policy {state.Policy.Name()}";
            _lastErrorAt = _engine.Time.GetUtcNow();
        }
    }

    /// <summary>For the log.</summary>
    private string Transport => Settings.Tls ? "over TLS" : "without TLS";

    private string Unexpected(in PeerAnswer answer) =>
        answer.IsSuccess ? "the answer is not valid"
        : RefusalText.Of(answer.Body.Span) is { } text ? $"status {answer.Status}: {text}"
        : $"status {answer.Status}{HintOf(answer)}";

    /// <summary>The likely cause of a refusal that couic did not send.</summary>
    private string HintOf(in PeerAnswer answer) =>
        !Settings.Tls && answer.Status is 400 or (>= 300 and < 400) or 426 ? " (does that port speak TLS? set \"tls = true\")"
        : answer.IsHypertext && answer.Status is 404 or 405 ? " (from something that is not couic: does a proxy stand in between?)"
        : "";
}
