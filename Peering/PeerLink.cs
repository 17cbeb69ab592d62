using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// What this node does towards one peer: greets it, flushes its queue, fetches what it has and we lack. One request is on
/// its way at a time, so nothing overtakes, and whatever the peer does delays no other. All members are thread-safe.
/// </summary>
internal sealed partial class PeerLink
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

    public PeerLink(PeeringEngine engine, IPeerTransport transport, PeerSettings settings, int number)
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

    /// <summary>Its bit in the replicas' queue masks.</summary>
    public int Number { get; }

    /// <summary>Number of the node that answered last; 0 for none.</summary>
    public ulong PeerNode { get; private set; }

    /// <summary>Whether its last request should have been answered by now, or its comparison goes on for suspiciously long.</summary>
    public bool WaitsLong => (Volatile.Read(ref _busy) && _engine.Time.GetElapsedTime(Volatile.Read(ref _lastAttempt)) > ShortHold)
        || (Volatile.Read(ref _comparison) is not null && _engine.Time.GetElapsedTime(Volatile.Read(ref _comparisonSince)) > LongComparison);

    private long Now => _engine.Time.GetTimestamp();

    /// <summary>Every flush interval.</summary>
    public void Tick()
    {
        lock (_gate)
        {
            foreach (PolicyState state in _states)
            {
                state.Due = _engine.IndexOf(state.Policy)?.QueueState(Number).Count ?? 0;
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
            EndComparison();
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
            _ = TryContinueSingles() || TryJobs() || TryContinueComparison() || TryHello(soonest: false);
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
            Fail(PeerFailure.Garbage, "unexpected fault of this node (see its log)");
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
        EndComparison();
        long now = Now;
        foreach (PolicyState state in _states)
        {
            state.Suspects(now);
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
}
