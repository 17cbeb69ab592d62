using System.Buffers;
using Couic.Names;
using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// The sending side of the protocol towards one peer: sends hellos, flushes its queue, fetches what it has and this node lacks.
/// At most one request is in flight, so changes stay in order and a slow peer delays no other. All members are thread-safe.
/// </summary>
internal sealed partial class PeerSession
{
    /// <summary>Jobs per batch: about 170 KB of JSON, far below any body limit.</summary>
    private const int MaxBatch = 1_000;

    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(250), LastRetry = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly PeeringEngine _engine;
    private readonly IPeerTransport _transport;
    private readonly PolicyState[] _states = [new(Policy.Drop), new(Policy.Ignore)];
    private readonly ClockOffset _offset = new();
    private readonly Backoff _backoff;
    private Phase _phase;
    private bool _isInFlight;
    private long _retryAt;
    private long _lastAttempt;

    private readonly List<OutgoingJob> _batch = [];

    /// <summary>Reused for each batch; a new one per batch would be a large object.</summary>
    private readonly ArrayBufferWriter<byte> _body = new();
    private readonly Queue<SingleJob> _oneByOne = new();
    private int _maxBatch = MaxBatch;
    private SyncFeatures _features;
    private bool _isLegacyKnown;
    private bool _isPeeringOff;
    private RegisterTable? _batchIndex;

    private DateTimeOffset? _lastSuccess;
    private string? _lastError;
    private DateTimeOffset? _lastErrorAt;
    private long _nextLog = long.MinValue;
    private long _nextFaultLog = long.MinValue;
    private bool _clockLogged;
    private long _requests;
    private long _failures;
    private long _jobsSent;
    private long _bytesSent;
    private long _bytesReceived;
    private long _recordsFetched;

    public PeerSession(PeeringEngine engine, IPeerTransport transport, PeerSettings settings, int number)
    {
        _engine = engine;
        _transport = transport;
        _backoff = new Backoff(FirstRetry, LastRetry, engine.Jitter);
        Settings = settings;
        Number = number;
    }

    /// <summary>
    /// <c>Probing</c> sends hellos until an answer shows what the peer is; a failure leads back to it, or to <c>Unreachable</c>
    /// until the transport has connected.
    /// </summary>
    private enum Phase : byte
    {
        Probing,

        /// <summary>The peer is a couic 2: it exchanges versioned changes and compares digests.</summary>
        Replicating,

        /// <summary>The peer is a couic 1.x, or its peering is off: it only receives changes.</summary>
        Legacy,
        Unreachable,
        Closed,
    }

    public PeerSettings Settings { get; }

    /// <summary>The peer's bit in the queue masks of the registers.</summary>
    public int Number { get; }

    /// <summary>Number of the node that answered last; 0 for none.</summary>
    public ulong PeerNode { get; private set; }

    /// <summary>Whether an answer or the end of a comparison is overdue, so that another session may fetch in bulk.</summary>
    public bool IsSlow => (Volatile.Read(ref _isInFlight) && _engine.Time.GetElapsedTime(Volatile.Read(ref _lastAttempt)) > ShortHold)
        || (Volatile.Read(ref _antiEntropy) is not null && _engine.Time.GetElapsedTime(Volatile.Read(ref _antiEntropySince)) > LongComparison);

    private long Now => _engine.Time.GetTimestamp();

    /// <summary>Called every flush interval.</summary>
    public void Tick()
    {
        lock (_gate)
        {
            foreach (PolicyState state in _states)
            {
                state.ToSendThisTick = _engine.IndexOf(state.Policy)?.QueueState(Number).Count ?? 0;
            }

            Run(Advance);
        }
    }

    /// <summary>Ends the session: the configuration no longer has the peer.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _phase = Phase.Closed;
            EndAntiEntropy();
        }
    }

    /// <summary>The local time at which the peer last compared its rules with ours; <see cref="long.MaxValue"/> for a peer that never will.</summary>
    public long ComparedAt(Policy policy)
    {
        lock (_gate)
        {
            return _phase == Phase.Legacy || StateOf(policy).Refused ? long.MaxValue : StateOf(policy).PeerComparedAt;
        }
    }

    /// <summary>The peer sent a hello, so it is up whatever this session assumed.</summary>
    /// <param name="isKeyNew">Whether this node can ask it for rules from now on.</param>
    public void OnGreeted(Policy policy, in SyncHead head, bool isKeyNew)
    {
        lock (_gate)
        {
            // A mark lets tombstones be dropped, so it must come from the peer itself and lie in the past.
            if (head.MarkNode == _engine.Node && _engine.Keys.TryGet(head.Node, out ulong key) && key == head.Key)
            {
                StateOf(policy).PeerComparedAt = Math.Max(StateOf(policy).PeerComparedAt, Math.Min(head.Mark, Now));
            }

            RetrySoon();
            if (isKeyNew)
            {
                foreach (PolicyState state in _states)
                {
                    state.NextHello = state.Refused ? state.NextHello : Now;
                }

                Run(Advance);
            }
        }
    }

    /// <summary>An unknown node sent a hello: it may be this peer after a restart.</summary>
    public void OnGreetedByUnknownNode()
    {
        lock (_gate)
        {
            RetrySoon();
        }
    }

    private PolicyState StateOf(Policy policy) => _states[(int)policy];

    private long After(TimeSpan span) => Now + (long)(span.TotalSeconds * _engine.Time.TimestampFrequency);

    /// <summary>Shortens a back-off, but keeps a second between attempts.</summary>
    private void RetrySoon()
    {
        long soon = _lastAttempt + _engine.Time.TimestampFrequency;
        _retryAt = Math.Min(_retryAt, soon);
    }

    /// <summary>Sends the next request if one is due and none is in flight.</summary>
    private void Advance()
    {
        if (_isInFlight || _phase is Phase.Unreachable or Phase.Closed || Now < _retryAt)
        {
            return;
        }

        // A batch says when it was sent by the peer's clock, so the clock offset has to be known first.
        if (_phase == Phase.Probing || (_phase == Phase.Replicating && _offset.IsPoor))
        {
            TryHello(soonest: true);
        }
        else
        {
            _ = TryContinueOneByOne() || TryJobs() || TryContinueAntiEntropy() || TryHello(soonest: false);
        }
    }

    private void Post(Policy policy, PeerVerb verb, ReadOnlyMemory<byte> body, Action<PeerAnswer> handle)
    {
        _isInFlight = true;
        _lastAttempt = Now;
        _requests++;
        _bytesSent += body.Length;
        _transport.Post(new PeerRequest(Settings, policy, verb, body, answer => OnAnswer(answer, handle)));
    }

    private void OnAnswer(PeerAnswer answer, Action<PeerAnswer> handle)
    {
        lock (_gate)
        {
            _isInFlight = false;
            _bytesReceived += answer.Body.Length;
            if (_phase == Phase.Closed)
            {
                return;
            }

            Run(() =>
            {
                handle(answer);
                Advance();
            });
        }
    }

    /// <summary>An exception counts as a failed request: the batch returns to the queue and is sent again after the back-off.</summary>
    private void Run(Action step)
    {
        try
        {
            step();
        }
        catch (Exception fault)
        {
            _isInFlight = false;
            ReturnBatch();
            NoteFault(fault);
            Fail(PeerFailure.InvalidResponse, "unexpected fault of this node (see its log)");
        }
    }

    private void Succeed()
    {
        _backoff.Reset();
        _lastSuccess = _engine.Time.GetUtcNow();
        State = PeerState.Up;
    }

    /// <summary>The request failed: the peer has to be compared again, after a back-off.</summary>
    private void Fail(PeerFailure failure, string cause)
    {
        _engine.Touch();
        EndAntiEntropy();
        long now = Now;
        foreach (PolicyState state in _states)
        {
            state.RequireComparison(now);
        }

        NoteFailure(cause);
        TimeSpan pause = _backoff.Next();
        if (failure == PeerFailure.Unreachable)
        {
            BecomeUnreachable(_backoff.Failures > 2 ? pause : TimeSpan.Zero);
        }
        else
        {
            State = PeerState.Failing;
            BecomeProbing(After(pause));
        }
    }

    private void BecomeProbing(long retryAt)
    {
        _phase = Phase.Probing;
        _retryAt = retryAt;
    }

    private void BecomeUnreachable(TimeSpan pause)
    {
        _phase = Phase.Unreachable;
        _retryAt = After(pause);
        State = PeerState.Unreachable;
        _transport.AwaitReachable(Settings, OnReachable);
    }

    /// <summary>
    /// A peer that was away gets a hello at once. One that accepts connections and yet breaks them off keeps its back-off.
    /// </summary>
    private void OnReachable(bool wasAway)
    {
        lock (_gate)
        {
            if (_phase == Phase.Closed)
            {
                return;
            }

            if (wasAway)
            {
                _backoff.Reset();
            }

            BecomeProbing(wasAway ? 0 : _retryAt);
            Run(Advance);
        }
    }

    /// <summary>Sends the next batch of what was queued at the last tick.</summary>
    private bool TryJobs()
    {
        foreach (PolicyState state in _states)
        {
            if (state.ToSendThisTick > 0 && !state.Refused && _engine.IndexOf(state.Policy) is { } index)
            {
                _batch.Clear();
                index.TakeBatch(Number, Math.Min(state.ToSendThisTick, _maxBatch), _batch);
                state.ToSendThisTick = _batch.Count == 0 ? 0 : state.ToSendThisTick - _batch.Count;
                if (_batch.Count > 0 && TrySend(index))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private bool TrySend(RegisterTable index)
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
            index.Confirm(Number, _batch); // the peer needs none of it
            _batch.Clear();
            return false;
        }

        Post(index.Policy, PeerVerb.Jobs, body.WrittenMemory, answer => OnBatchAnswer(index, answer));
        return true;
    }

    /// <summary>
    /// A legacy peer cannot replace a rule: it gets a removal of what it may hold, then an addition. It needs no removal of
    /// a rule that it never received.
    /// </summary>
    private void AppendJob(ArrayBufferWriter<byte> body, in OutgoingJob job, DateTimeOffset? sentAt)
    {
        bool isAdd = job.State == RegisterState.Live;
        if (_phase == Phase.Legacy)
        {
            if (job.Known)
            {
                PeerJobWriter.Append(body, job, isAdd: false, versioned: false, null);
            }

            if (isAdd)
            {
                PeerJobWriter.Append(body, job, isAdd: true, versioned: false, null);
            }

            return;
        }

        PeerJobWriter.Append(body, job, isAdd, versioned: true, sentAt);
    }

    private void OnBatchAnswer(RegisterTable index, in PeerAnswer answer)
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
        else if (_phase == Phase.Legacy && answer.Status is 409 or 404 || answer.Status is 400 or 422)
        {
            // The peer stopped at some job, or cannot accept one of them: sent one by one, the jobs after it are not lost.
            SplitBatch();
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

    /// <summary>Returns to the queue what may not have arrived.</summary>
    private void ReturnBatch()
    {
        _batchIndex?.Return(Number, _batch);
        _batchIndex?.Return(Number, [.. _oneByOne.Where(single => single.IsLast).Select(single => single.Job)]);
        _batch.Clear();
        _oneByOne.Clear();
    }

    private void SplitBatch()
    {
        foreach (OutgoingJob job in _batch)
        {
            bool isAdd = job.State == RegisterState.Live;
            if (_phase != Phase.Legacy || !isAdd || job.Known)
            {
                bool removes = _phase == Phase.Legacy || !isAdd;
                _oneByOne.Enqueue(new SingleJob(job, IsAdd: !removes, IsLast: _phase != Phase.Legacy || !isAdd));
            }

            if (_phase == Phase.Legacy && isAdd)
            {
                _oneByOne.Enqueue(new SingleJob(job, IsAdd: true, IsLast: true));
            }
        }
    }

    private bool TryContinueOneByOne()
    {
        if (!_oneByOne.TryPeek(out SingleJob? single))
        {
            return false;
        }

        if (_batchIndex is not { } index || _engine.IndexOf(index.Policy) != index)
        {
            _oneByOne.Clear(); // the policy has been switched off
            return false;
        }

        var body = new ArrayBufferWriter<byte>(512);
        PeerJobWriter.Begin(body);
        PeerJobWriter.Append(body, single.Job, single.IsAdd, versioned: _phase == Phase.Replicating, null);
        PeerJobWriter.End(body);
        Post(index.Policy, PeerVerb.Jobs, body.WrittenMemory, answer => OnOneByOneAnswer(index, answer));
        return true;
    }

    private void OnOneByOneAnswer(RegisterTable index, in PeerAnswer answer)
    {
        bool isPresent = _phase == Phase.Legacy && answer.Status == 409;
        bool isAbsent = _phase == Phase.Legacy && answer.Status == 404 && !_oneByOne.Peek().IsAdd;
        bool isHopeless = answer.Status is 400 or 422;
        if (!answer.IsSuccess && !isPresent && !isAbsent && !isHopeless)
        {
            index.Return(Number, [.. _oneByOne.Where(single => single.IsLast).Select(single => single.Job)]);
            _oneByOne.Clear();
            FailOf(answer);
            return;
        }

        Succeed();
        SingleJob done = _oneByOne.Dequeue();
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

    /// <summary>A job that is sent alone; the last one of a register confirms it.</summary>
    private sealed record SingleJob(OutgoingJob Job, bool IsAdd, bool IsLast);

    public PeerState State { get; private set; }

    public PeerStatus Status()
    {
        lock (_gate)
        {
            (int queued, TimeSpan oldest) = (0, TimeSpan.Zero);
            var refused = new List<Policy>();
            bool? inSync = true;
            foreach (PolicyState state in _states)
            {
                if (_engine.IndexOf(state.Policy) is { } index)
                {
                    (int count, TimeSpan age) = index.QueueState(Number);
                    queued += count;
                    oldest = age > oldest ? age : oldest;
                    inSync = state.InSync is { } same && inSync is { } all ? same && all : null;
                    if (state.Refused)
                    {
                        refused.Add(state.Policy);
                    }
                }
            }

            var counters = new PeerCounters(_jobsSent, _requests, _failures, _bytesSent, _bytesReceived, _recordsFetched);
            return new PeerStatus(
                Settings.Host, Settings.Port, Settings.Tls, State, _phase == Phase.Legacy && !_isPeeringOff, queued, oldest, _lastSuccess, _lastError,
                _lastErrorAt, _offset.Value, inSync, refused, counters);
        }
    }

    /// <summary>One line of internal state for debugging.</summary>
    public string Describe()
    {
        lock (_gate)
        {
            PolicyState drop = _states[0];
            return $"{State} {_phase}{(_isInFlight ? " in flight" : string.Empty)} "
                + $"retry in {_engine.Time.GetElapsedTime(Now, _retryAt).TotalSeconds:F3} hello in {_engine.Time.GetElapsedTime(Now, drop.NextHello).TotalSeconds:F3} "
                + $"since {_engine.Time.GetElapsedTime(_lastAttempt).TotalSeconds:F3} in sync {drop.InSync} needs comparison {drop.NeedsComparison} to send {drop.ToSendThisTick} "
                + $"comparing {_antiEntropy?.LeafCount} {_lastError}";
        }
    }

    private void NoteFailure(string cause)
    {
        _failures++;
        _lastError = cause;
        _lastErrorAt = _engine.Time.GetUtcNow();
        if (Now >= _nextLog)
        {
            _nextLog = After(LogInterval);
            int queued = _states.Sum(state => _engine.IndexOf(state.Policy)?.QueueState(Number).Count ?? 0);
            PeeringLog.Failed(_engine.Log, Settings.ToString(), cause, queued);
        }
    }

    private void NoteFault(Exception fault)
    {
        if (Now >= _nextFaultLog)
        {
            _nextFaultLog = After(LogInterval);
            PeeringLog.SessionFault(_engine.Log, Settings.ToString(), fault);
        }
    }

    private void NoteClock()
    {
        bool isOff = _offset.Value is { } offset && Math.Abs(offset.TotalSeconds) > 5;
        if (isOff && !_clockLogged)
        {
            PeeringLog.ClockOff(_engine.Log, Settings.ToString(), (long)_offset.Value!.Value.TotalSeconds);
        }

        _clockLogged = isOff;
    }
}

/// <summary>What a session knows of one policy at its peer; guarded by the session's lock.</summary>
internal sealed class PolicyState(Policy policy)
{
    public Policy Policy => policy;

    /// <summary>The peer answered 401 for it.</summary>
    public bool Refused { get; set; }

    /// <summary>Something may have been missed since the last comparison, so the next difference starts one at once.</summary>
    public bool NeedsComparison { get; set; } = true;

    public long NeedsComparisonSince { get; set; }

    /// <summary>Both roots at the last hello: a difference that stays the same is a real one.</summary>
    public (ulong Own, ulong Peer) LastRoots { get; set; }

    /// <summary>The last hello followed another one at once.</summary>
    public bool LookedTwice { get; set; }

    /// <summary>Whether both nodes held the same rules at the last hello; null for unknown.</summary>
    public bool? InSync { get; set; }

    public long NextHello { get; set; }

    /// <summary>The earliest time of the next comparison: the last one fetched records for which the table has no space.</summary>
    public long NextComparison { get; set; } = long.MinValue;

    /// <summary>When a comparison was last completed.</summary>
    public long ComparedAt { get; set; }

    /// <summary>The peer's mark that the next hello reports to it: what this node held then survives a restart of it.</summary>
    public (ulong Node, long Mark) Mark { get; private set; }

    /// <summary>A later mark whose changes may not be on this node's disk yet.</summary>
    private (ulong Node, long Mark, long Since)? _unsynced;

    /// <summary>A comparison was completed.</summary>
    /// <param name="isKept">Whether a journal keeps what this node learnt in it.</param>
    public void NoteComparison(ulong node, long mark, long now, bool isKept)
    {
        NeedsComparison = false;
        ComparedAt = now;
        if (!isKept)
        {
            Mark = (node, mark);
        }
        else
        {
            _unsynced ??= (node, mark, now);
        }
    }

    /// <summary>Changes up to this timestamp are on the disk. A peer forgets a removal only after marks that followed it.</summary>
    public void NoteSync(long upTo)
    {
        if (_unsynced is { } later && later.Since <= upTo)
        {
            Mark = (later.Node, later.Mark);
            _unsynced = null;
        }
    }

    /// <summary>The local time at which the peer last compared all its rules with ours.</summary>
    public long PeerComparedAt { get; set; } = long.MinValue;

    /// <summary>Queued registers that this flush still has to send.</summary>
    public int ToSendThisTick { get; set; }

    public void RequireComparison(long now)
    {
        NeedsComparison = true;
        NeedsComparisonSince = now;
        InSync = null;
    }
}
