using System.Buffers;
using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// What this node does towards one peer: greets it, flushes its queue, fetches what it has and we lack. One request is on
/// its way at a time, so nothing overtakes, and whatever the peer does delays no other. All members are thread-safe.
/// </summary>
internal sealed partial class PeerSession
{
    private readonly Lock _gate = new();
    private readonly PeeringEngine _engine;
    private readonly IPeerTransport _transport;
    private readonly PolicyState[] _states = [new(Policy.Drop), new(Policy.Ignore)];
    private readonly ClockOffset _offset = new();
    private readonly Backoff _backoff;
    private Wire _wire;
    private bool _busy;
    private bool _awaiting;
    private bool _closed;
    private long _retryAt;
    private long _lastAttempt;

    public PeerSession(PeeringEngine engine, IPeerTransport transport, PeerSettings settings, int number)
    {
        _engine = engine;
        _transport = transport;
        _backoff = new Backoff(engine.Jitter);
        Settings = settings;
        Number = number;
    }

    private enum Wire : byte
    {
        Unknown,
        Plain,
        Comparing,
    }

    public PeerSettings Settings { get; }

    /// <summary>Its bit in the registers' queue masks.</summary>
    public int Number { get; }

    /// <summary>Number of the node that answered last; 0 for none.</summary>
    public ulong PeerNode { get; private set; }

    /// <summary>Whether its last request should have been answered by now, or its comparison goes on for suspiciously long.</summary>
    public bool WaitsLong => (Volatile.Read(ref _busy) && _engine.Time.GetElapsedTime(Volatile.Read(ref _lastAttempt)) > ShortHold)
        || (Volatile.Read(ref _antiEntropy) is not null && _engine.Time.GetElapsedTime(Volatile.Read(ref _antiEntropySince)) > LongComparison);

    private long Now => _engine.Time.GetTimestamp();

    /// <summary>Every flush interval.</summary>
    public void Tick()
    {
        lock (_gate)
        {
            foreach (PolicyState state in _states)
            {
                state.ToSendThisTick = _engine.IndexOf(state.Policy)?.QueueState(Number).Count ?? 0;
            }

            Guarded(Advance);
        }
    }

    /// <summary>The configuration no longer has it.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _closed = true;
            EndAntiEntropy();
        }
    }

    /// <summary>Our time at which the peer last compared its rules with ours; the end of time for one that never will.</summary>
    public long ComparedAt(Policy policy)
    {
        lock (_gate)
        {
            return _wire == Wire.Plain || StateOf(policy).Refused ? long.MaxValue : StateOf(policy).PeerComparedAt;
        }
    }

    /// <summary>The peer greeted us: it lives, whatever we thought.</summary>
    /// <param name="isKeyNew">From now on it can be asked for rules.</param>
    public void OnGreeted(Policy policy, in SyncHead head, bool isKeyNew)
    {
        lock (_gate)
        {
            // A mark lets removed rules be forgotten, so it must come from the peer itself and lie in the past.
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

                Guarded(Advance);
            }
        }
    }

    /// <summary>A node greeted us that may be this peer after a restart.</summary>
    public void OnGreetedByStranger()
    {
        lock (_gate)
        {
            RetrySoon();
        }
    }

    private PolicyState StateOf(Policy policy) => _states[(int)policy];

    private long After(TimeSpan span) => Now + (long)(span.TotalSeconds * _engine.Time.TimestampFrequency);

    /// <summary>Cuts a back-off short, but never to less than a second between attempts.</summary>
    private void RetrySoon()
    {
        long soon = _lastAttempt + _engine.Time.TimestampFrequency;
        _retryAt = Math.Min(_retryAt, soon);
    }

    /// <summary>Starts the next request if there is anything to do and nothing stands against it.</summary>
    private void Advance()
    {
        if (_busy || _awaiting || _closed || Now < _retryAt)
        {
            return;
        }

        // What travels must say when it was sent by the other's clock, so that has to be known first.
        if (_wire == Wire.Unknown || (_wire == Wire.Comparing && _offset.IsPoor))
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
        _busy = true;
        _lastAttempt = Now;
        _requests++;
        _bytesSent += body.Length;
        _transport.Post(new PeerRequest(Settings, policy, verb, body, answer => OnAnswer(answer, handle)));
    }

    private void OnAnswer(PeerAnswer answer, Action<PeerAnswer> handle)
    {
        lock (_gate)
        {
            _busy = false;
            _bytesReceived += answer.Body.Length;
            if (_closed)
            {
                return;
            }

            Guarded(() =>
            {
                handle(answer);
                Advance();
            });
        }
    }

    /// <summary>A fault of our own is treated as a failed request: what was to be sent goes back, and is tried again later.</summary>
    private void Guarded(Action step)
    {
        try
        {
            step();
        }
        catch (Exception fault)
        {
            _busy = false;
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

    /// <summary>The request failed: its work goes back, and the peer is left alone for a while.</summary>
    private void Fail(PeerFailure failure, string cause)
    {
        _engine.Touch();
        EndAntiEntropy();
        long now = Now;
        foreach (PolicyState state in _states)
        {
            state.RequireComparison(now);
        }

        _wire = Wire.Unknown;
        NoteFailure(cause);
        TimeSpan pause = _backoff.Fail();
        if (failure == PeerFailure.Unreachable)
        {
            State = PeerState.Unreachable;
            _awaiting = true;
            _retryAt = After(_backoff.Failures > 2 ? pause : TimeSpan.Zero);
            _transport.AwaitReachable(Settings, OnReachable);
        }
        else
        {
            State = PeerState.Failing;
            _retryAt = After(pause);
        }
    }

    /// <summary>
    /// A peer that was away is greeted at once; one that can be connected to all the time and yet breaks off waits its
    /// back-off out.
    /// </summary>
    private void OnReachable(bool wasAway)
    {
        lock (_gate)
        {
            _awaiting = false;
            if (wasAway)
            {
                _backoff.Reset();
                _retryAt = 0;
            }

            Guarded(Advance);
        }
    }

    /// <summary>Jobs of a batch: about 170 KB of JSON, far below any body limit.</summary>
    private const int MaxBatch = 1_000;

    private readonly List<OutgoingJob> _batch = [];

    /// <summary>Used again for each batch: one at a time is on its way, and a new one each time would be a large object.</summary>
    private readonly ArrayBufferWriter<byte> _body = new();
    private readonly Queue<Single> _oneByOne = new();
    private int _maxBatch = MaxBatch;
    private bool _wasPlain;
    private bool _isOff;
    private RegisterTable? _batchIndex;

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
        bool isAdd = job.State == RegisterState.Live;
        if (_wire == Wire.Plain)
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
        _batchIndex?.Return(Number, [.. _oneByOne.Where(single => single.IsLast).Select(single => single.Job)]);
        _batch.Clear();
        _oneByOne.Clear();
    }

    private void Divide()
    {
        foreach (OutgoingJob job in _batch)
        {
            bool isAdd = job.State == RegisterState.Live;
            if (_wire != Wire.Plain || !isAdd || job.Known)
            {
                bool removes = _wire == Wire.Plain || !isAdd;
                _oneByOne.Enqueue(new Single(job, IsAdd: !removes, IsLast: _wire != Wire.Plain || !isAdd));
            }

            if (_wire == Wire.Plain && isAdd)
            {
                _oneByOne.Enqueue(new Single(job, IsAdd: true, IsLast: true));
            }
        }
    }

    private bool TryContinueOneByOne()
    {
        if (!_oneByOne.TryPeek(out Single? single))
        {
            return false;
        }

        if (_batchIndex is not { } index || _engine.IndexOf(index.Policy) != index)
        {
            _oneByOne.Clear(); // the policy was switched off meanwhile
            return false;
        }

        var body = new ArrayBufferWriter<byte>(512);
        PeerJobWriter.Begin(body);
        PeerJobWriter.Append(body, single.Job, single.IsAdd, versioned: _wire == Wire.Comparing, null);
        PeerJobWriter.End(body);
        Post(index.Policy, PeerVerb.Jobs, body.WrittenMemory, answer => OnOneByOneAnswer(index, answer));
        return true;
    }

    private void OnOneByOneAnswer(RegisterTable index, in PeerAnswer answer)
    {
        bool isPresent = _wire == Wire.Plain && answer.Status == 409;
        bool isAbsent = _wire == Wire.Plain && answer.Status == 404 && !_oneByOne.Peek().IsAdd;
        bool isHopeless = answer.Status is 400 or 422;
        if (!answer.IsSuccess && !isPresent && !isAbsent && !isHopeless)
        {
            index.Return(Number, [.. _oneByOne.Where(single => single.IsLast).Select(single => single.Job)]);
            _oneByOne.Clear();
            FailOf(answer);
            return;
        }

        Succeed();
        Single done = _oneByOne.Dequeue();
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

    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

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
                Settings.Host, Settings.Port, Settings.Tls, State, _wire == Wire.Plain && !_isOff, queued, oldest, _lastSuccess, _lastError,
                _lastErrorAt, _offset.Value, inSync, refused, counters);
        }
    }

    /// <summary>One line for whoever looks for a fault.</summary>
    public string Describe()
    {
        lock (_gate)
        {
            PolicyState drop = _states[0];
            return $"{State} {_wire}{(_busy ? " busy" : string.Empty)}{(_awaiting ? " awaiting" : string.Empty)} "
                + $"retry in {_engine.Time.GetElapsedTime(Now, _retryAt).TotalSeconds:F3} hello in {_engine.Time.GetElapsedTime(Now, drop.NextHello).TotalSeconds:F3} "
                + $"since {_engine.Time.GetElapsedTime(_lastAttempt).TotalSeconds:F3} same {drop.InSync} suspect {drop.NeedsComparison} due {drop.ToSendThisTick} "
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

/// <summary>What a session knows of one policy at its peer. Guarded by the session.</summary>
internal sealed class PolicyState(Policy policy)
{
    public Policy Policy => policy;

    /// <summary>The peer answered 401 for it.</summary>
    public bool Refused { get; set; }

    /// <summary>Something may have been missed since the last comparison, so the next difference is looked into at once.</summary>
    public bool NeedsComparison { get; set; } = true;

    public long NeedsComparisonSince { get; set; }

    /// <summary>Both sums at the last greeting: a difference that stands still is a real one.</summary>
    public (ulong Own, ulong Peer) LastRoots { get; set; }

    /// <summary>The last greeting followed another one at once.</summary>
    public bool LookedTwice { get; set; }

    public bool? InSync { get; set; }

    public long NextHello { get; set; }

    /// <summary>Not before: the last comparison fetched records that have no room here, and the next one would do so again.</summary>
    public long NextComparison { get; set; } = long.MinValue;

    /// <summary>When a comparison was last completed.</summary>
    public long ComparedAt { get; set; }

    /// <summary>The peer's mark of the last comparison that we completed; it is told so with the next hello.</summary>
    public (ulong Node, long Mark) Mark { get; set; }

    /// <summary>Our own time at which the peer last compared all its rules with ours.</summary>
    public long PeerComparedAt { get; set; } = long.MinValue;

    /// <summary>Places that are due in this flush.</summary>
    public int ToSendThisTick { get; set; }

    public void RequireComparison(long now)
    {
        NeedsComparison = true;
        NeedsComparisonSince = now;
        InSync = null;
    }
}
