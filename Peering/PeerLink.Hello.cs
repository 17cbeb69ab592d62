using Couic.Store;

namespace Couic.Peering;

internal sealed partial class PeerLink
{
    /// <summary>Between greetings while nothing happens.</summary>
    private static readonly TimeSpan IdleInterval = TimeSpan.FromSeconds(2);

    /// <summary>Until a node that knew only the plain wire, or refused a policy, is asked again.</summary>
    private static readonly TimeSpan RecheckInterval = TimeSpan.FromSeconds(30);

    /// <summary>Until a node whose peering is off is asked again: it may be about to be set up.</summary>
    private static readonly TimeSpan OffInterval = TimeSpan.FromSeconds(5);

    /// <summary>A difference that moves with the traffic is looked into this often.</summary>
    private static readonly TimeSpan BusyInterval = TimeSpan.FromSeconds(5);

    /// <summary>How long fetching waits for what the peer is about to send by itself: little, or much.</summary>
    private static readonly TimeSpan ShortHold = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan LongHold = TimeSpan.FromSeconds(3);

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

        Greet(next);
        return true;
    }

    private void Greet(PolicyState state)
    {
        ReplicaIndex index = _engine.IndexOf(state.Policy)!;
        SyncHead own = _engine.HeadOf(index, (uint)index.QueueState(Number).Count, state.Mark.Mark, state.Mark.Node) with { Key = _engine.Keys.Own };
        long sentAt = Now;
        state.NextHello = After(RecheckInterval);
        Post(state.Policy, PeerVerb.Sync, SyncMessage.Hello(own), answer => OnHelloAnswer(state, index, own, sentAt, answer));
    }

    private void OnHelloAnswer(PolicyState state, ReplicaIndex index, in SyncHead own, long sentAt, in PeerAnswer answer)
    {
        if (answer.Failure != PeerFailure.None)
        {
            FailOf(answer);
            return;
        }

        if (answer.Status is 404 or 405 && !answer.IsHypertext)
        {
            BecomePlain(index, isOff: RefusalText.Of(answer.Body.Span) == PeeringService.OffMessage);
            return;
        }

        if (answer.Status == 401)
        {
            OnPolicyRefused(state);
            return;
        }

        Span<ulong> sums = stackalloc ulong[DigestTree.Branches];
        SyncHead peer = default;
        bool hasSums = false;
        if (!answer.IsSuccess || !SyncMessage.TryReadHelloAnswer(answer.Body.Span, out peer, sums, out hasSums))
        {
            Fail(answer.IsSuccess ? PeerFailure.Garbage : PeerFailure.Refused, Unexpected(answer));
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

        BecomeComparing(peer);
        state.Refused = false;
        index.ObserveTime(peer.Time);
        NoteClock();
        Compare(state, index, own, peer, hasSums ? sums : default);
        state.NextHello = NextHello(state, index, sentAt, peer);
    }

    /// <summary>
    /// At the next tick while there is anything to expect. A difference that no queue explains is looked at a second time
    /// at once: if it stands still it is one that no job on its way will mend.
    /// </summary>
    private long NextHello(PolicyState state, ReplicaIndex index, long sentAt, in SyncHead peer)
    {
        long nextTick = sentAt + (long)(PeeringEngine.FlushInterval.TotalSeconds * 0.9 * _engine.Time.TimestampFrequency);
        bool canAsk = _engine.Keys.TryGet(peer.Node, out _);
        bool unexplained = canAsk && state.InSync == false && _comparison is null && peer.Queued == 0 && index.QueueState(Number).Count == 0;
        if (unexplained && !state.LookedTwice)
        {
            state.LookedTwice = true;
            return Now;
        }

        state.LookedTwice = false;
        return (state.InSync == true || !canAsk) && !_engine.IsActive ? After(IdleInterval) : nextTick;
    }

    /// <summary>Decides whether the difference, if there is one, is to be looked into now.</summary>
    private void Compare(PolicyState state, ReplicaIndex index, in SyncHead own, in SyncHead peer, ReadOnlySpan<ulong> sums)
    {
        bool same = own.Root == peer.Root && sums.IsEmpty;
        state.InSync = same;
        bool newcomer = !_engine.HasJoined(state.Policy);
        if (peer.Queued > Comparison.BulkLeaves)
        {
            _engine.ExpectsInflow = true;
        }

        if (same && !newcomer)
        {
            Completed(state, peer.Node, peer.Mark);
            return;
        }

        var roots = (own.Root, peer.Root);
        TimeSpan suspectFor = state.Suspect ? _engine.Time.GetElapsedTime(state.SuspectSince) : TimeSpan.MaxValue;
        bool stable = state.LastRoots == roots;
        bool overdue = _engine.Time.GetElapsedTime(state.ComparedAt) > BusyInterval;
        bool held = state.Suspect && !newcomer
            && ((peer.Queued > 0 && suspectFor < ShortHold) || (_engine.ExpectsInflow && suspectFor < LongHold));
        state.LastRoots = roots;
        if (_comparison is null && !held && Now >= state.NextComparison && (state.Suspect || newcomer || stable || overdue) && _engine.Keys.TryGet(peer.Node, out ulong key))
        {
            Begin(state, newcomer || sums.IsEmpty ? Comparison.OfAll(state.Policy, peer, key) : OwnAgainst(index, peer, key, sums));
        }
    }

    private static Comparison OwnAgainst(ReplicaIndex index, in SyncHead peer, ulong key, ReadOnlySpan<ulong> sums)
    {
        Span<ulong> own = stackalloc ulong[DigestTree.Branches];
        index.CopyBranchSums(own);
        return Comparison.OfBranches(index.Policy, peer, key, own, sums);
    }

    private void BecomeComparing(in SyncHead peer)
    {
        if (_wire != Wire.Comparing)
        {
            PeeringLog.Up(_engine.Log, Settings.ToString(), Transport, "couic 2");
        }

        bool another = peer.Node != PeerNode;
        if (another || _wire != Wire.Comparing)
        {
            foreach (PolicyState state in _states)
            {
                state.Suspects(Now);
                state.PeerComparedAt = another ? long.MinValue : state.PeerComparedAt;
            }
        }

        if (another)
        {
            PeerNode = peer.Node;
            _engine.Touch();
        }

        if (_isOff)
        {
            _isOff = false;
            _lastError = null;
            _lastErrorAt = null;
        }

        _wire = Wire.Comparing;
        Succeed();
    }

    /// <summary>
    /// A node that knows only the plain wire cannot ask for what it lacks, so it is told of every rule once; what it has
    /// already costs it a conflict.
    /// </summary>
    /// <param name="isOff">It is a node of this kind whose peering is off: it takes changes, and may be about to be set up.</param>
    private void BecomePlain(ReplicaIndex index, bool isOff)
    {
        if (!_wasPlain || _isOff != isOff)
        {
            PeeringLog.Up(_engine.Log, Settings.ToString(), Transport, isOff ? "its peering is off, it gets changes only" : "couic 1.x, it gets changes only");
        }

        if (!_wasPlain)
        {
            _wasPlain = true;
            index.EnqueueAllLive(Number);
        }

        _isOff = isOff;
        if (isOff)
        {
            _lastError = "peering is off there ([peering] enabled in its configuration)";
            _lastErrorAt = _engine.Time.GetUtcNow();
        }

        _wire = Wire.Plain;
        PeerNode = 0;
        foreach (PolicyState state in _states)
        {
            state.InSync = null;
            state.NextHello = After(isOff ? OffInterval : RecheckInterval);
            state.Due = _engine.IndexOf(state.Policy)?.QueueState(Number).Count ?? 0;
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
        else if (_wire == Wire.Unknown)
        {
            _lastError = $"401 for policy {state.Policy.Name()}";
            _lastErrorAt = _engine.Time.GetUtcNow();
        }
    }

    /// <summary>For the log.</summary>
    private string Transport => Settings.Tls ? "over TLS" : "without TLS";

    private string Unexpected(in PeerAnswer answer) =>
        answer.IsSuccess ? "the answer makes no sense"
        : RefusalText.Of(answer.Body.Span) is { } text ? $"status {answer.Status}: {text}"
        : $"status {answer.Status}{HintOf(answer)}";

    /// <summary>What a refusal that is not one of couic most likely means.</summary>
    private string HintOf(in PeerAnswer answer) =>
        !Settings.Tls && answer.Status is 400 or (>= 300 and < 400) or 426 ? " (does that port speak TLS? set \"tls = true\")"
        : answer.IsHypertext && answer.Status is 404 or 405 ? " (from something that is not couic: does a proxy stand in between?)"
        : "";
}
