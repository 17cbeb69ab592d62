using Couic.Bus;
using Couic.Names;
using Couic.Store;

namespace Couic.Peering;

/// <summary>
/// Replication through the bus: publishes the latest values of marked registers, and applies what the log shows. As with peers, versions
/// decide what is newer, never positions in the log. All members are thread-safe.
/// </summary>
internal sealed class BusSession : IBusClient, IDisposable
{
    /// <summary>Publications in flight, of <see cref="BusLimits.MaxBatch"/> values each.</summary>
    private const int MaxInFlight = 2;

    /// <summary>Messages deleted from the log per tick.</summary>
    private const int MaxDeletions = 64;

    /// <summary>How long a tombstone stays in the log; the node that made it then deletes it.</summary>
    public static readonly TimeSpan TombstoneLife = TimeSpan.FromHours(1);

    /// <summary>How much later other nodes delete it, with up to as much jitter.</summary>
    private static readonly TimeSpan OthersLater = TimeSpan.FromHours(1);

    /// <summary>How long this node keeps tombstones, in case the log is created again while another node is away.</summary>
    public static readonly TimeSpan KeepTombstones = TimeSpan.FromHours(24);

    /// <summary>
    /// A node that has not read the log to its end for longer reads all of it again: a tombstone may have been deleted since. Half of the
    /// least time that one stays.
    /// </summary>
    public static readonly TimeSpan MaxAbsence = TimeSpan.FromMinutes(30);

    /// <summary>How long a value of another node waits for that node to publish it.</summary>
    private static readonly TimeSpan RelayWait = TimeSpan.FromMilliseconds(250);

    /// <summary>Range of the wait before rules of other nodes are published to a log that was created again.</summary>
    private static readonly TimeSpan FirstRepublish = TimeSpan.FromSeconds(1), LastRepublish = TimeSpan.FromSeconds(5);

    /// <summary>Changes refused here, by the guard, a full table, the data plane or a clock, that are kept to be tried again.</summary>
    private const int MaxRefused = 4_096;

    private static readonly TimeSpan FirstTry = TimeSpan.FromSeconds(1), LastTry = TimeSpan.FromSeconds(5);

    /// <summary>Before the whole log is read again because more were refused.</summary>
    private static readonly TimeSpan FirstReread = TimeSpan.FromMinutes(1), LastReread = TimeSpan.FromHours(1);

    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private static readonly byte[] Creator = "bus"u8.ToArray();

    private readonly Lock _gate = new();
    private readonly PeeringEngine _engine;
    private readonly IBus _bus;
    private readonly Backoff _backoff;
    private readonly Backoff _rereads;
    private readonly Backoff _tries;
    private readonly List<RefusedChange> _refused = [];
    private readonly List<RemoteChange> _record = new(1);
    private readonly List<RemoteChange>[] _changes = [[], []];
    private readonly List<ulong>[] _shown = [[], []];

    private Reading _reading = Reading.Fresh;
    private BusState _state = BusState.Connecting;
    private BusLog? _log;
    private ulong _last;
    private ulong _pending;
    private long _caughtUpAt;
    private DateTimeOffset _caughtUpWall;
    private bool _wasCaughtUp;
    private bool _mustCheck;
    private bool _isDeleting;
    private bool _isStarted;
    private int _inFlight;
    private long _publishAt;
    private long _republishAt = long.MaxValue;
    private long _rereadAt = long.MaxValue;
    private long _tryAt = long.MaxValue;
    private long _nextLog = long.MinValue;
    private DateTimeOffset? _lastErrorAt;
    private string? _lastError;
    private BusCounters _counters;
    private BusLog? _surplusOf;
    private bool _hasSurplus;

    public BusSession(PeeringEngine engine, BusPlan plan, IBus bus)
    {
        _engine = engine;
        _bus = bus;
        Plan = plan;
        _backoff = new Backoff(TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(5), engine.Jitter);
        _rereads = new Backoff(FirstReread, LastReread, engine.Jitter);
        _tries = new Backoff(FirstTry, LastTry, engine.Jitter);
    }

    /// <summary>What has to be settled when the log is read to its end.</summary>
    private enum Reading : byte
    {
        /// <summary>Nothing: the node continues after the last message it read.</summary>
        Continued,

        /// <summary>A log that this node has not read: what it lacks is published.</summary>
        Fresh,

        /// <summary>The node was not away: what has disappeared from the log was deleted by mistake, and is published again.</summary>
        Checked,

        /// <summary>The node was away: what has disappeared from the log was removed since.</summary>
        Absent,
    }

    public BusPlan Plan { get; }

    private long Now => _engine.Time.GetTimestamp();

    /// <summary>Called every flush interval. The first call connects: rules of a journal are restored before, and nothing may overtake them.</summary>
    public void Tick()
    {
        lock (_gate)
        {
            if (!_isStarted && _state != BusState.Closed)
            {
                _isStarted = true;
                _bus.Start(this);
            }

            if (_state is not (BusState.Reading or BusState.Live))
            {
                return;
            }

            long now = Now;
            bool republishes = now >= _republishAt && _state == BusState.Live;
            foreach (RegisterTable index in Indexes())
            {
                if (_state == BusState.Live)
                {
                    index.PromoteRelays(RelayWait);
                }

                if (republishes)
                {
                    index.EnqueueMissing(ownOnly: false, TombstoneLife);
                }
            }

            _republishAt = republishes ? long.MaxValue : _republishAt;
            if (now >= _tryAt)
            {
                TryRefused();
            }

            if (now >= _rereadAt)
            {
                _rereadAt = long.MaxValue;
                _mustCheck = true;
                _bus.Reopen();
                return;
            }

            Publish();
            DeleteTombstones();
        }
    }

    public BusStatus Status()
    {
        lock (_gate)
        {
            int marked = 0;
            TimeSpan oldest = TimeSpan.Zero;
            foreach (RegisterTable index in Indexes())
            {
                (int count, TimeSpan age) = index.QueueState(RegisterTable.BusQueue);
                marked += count;
                oldest = age > oldest ? age : oldest;
            }

            TimeSpan lag = _state == BusState.Live && _pending == 0 ? TimeSpan.Zero : _wasCaughtUp ? _engine.Time.GetElapsedTime(_caughtUpAt) : TimeSpan.Zero;
            return new BusStatus(
                Plan.Settings.Name, Plan.Settings.Servers.Split(','), _state, _log?.Server, _log?.Messages ?? 0, _last, _pending, lag, _wasCaughtUp, marked,
                oldest, _lastError, _lastErrorAt, _counters);
        }
    }

    ulong IBusClient.OnOpened(BusLog log)
    {
        lock (_gate)
        {
            bool isSame = _log?.Identity == log.Identity && log.LastSequence >= _last && !(log.Messages == 0 && OnLog(TimeSpan.Zero) > 0);
            bool wasAway = AwayFor() > MaxAbsence;
            _reading = !isSame ? Reading.Fresh
                : wasAway ? Reading.Absent
                : _reading == Reading.Continued && _rereadAt == long.MaxValue && !_mustCheck ? Reading.Continued
                : _reading is Reading.Fresh or Reading.Absent ? _reading
                : Reading.Checked;
            _mustCheck = false;
            foreach (RegisterTable index in Indexes())
            {
                if (_reading == Reading.Fresh && !isSame)
                {
                    index.ForgetLog();
                }
                else if (_reading != Reading.Continued)
                {
                    index.DoubtLog();
                }
            }

            if (_log is { } former && former.Identity != log.Identity)
            {
                PeeringLog.BusCreatedAgain(_engine.Log, Plan.Settings.Name);
            }

            _log = log;
            _last = _reading == Reading.Continued ? _last : 0;
            _counters.Opened++;
            SetState(BusState.Reading);
            return _last + 1;
        }
    }

    void IBusClient.OnMessages(IReadOnlyList<BusMessage> messages, ulong pending)
    {
        Apply(messages);
        lock (_gate)
        {
            _last = messages.Count > 0 ? messages[^1].Sequence : _last;
            _pending = pending;

            if (pending == 0)
            {
                CaughtUp();
            }
        }
    }

    void IBusClient.OnPolled(BusLog log, ulong pending)
    {
        lock (_gate)
        {
            // What is not pending at the server may still be on its way; what was not at the last look is not.
            bool isRead = pending == 0 && (_last >= log.LastSequence || log.LastSequence == _log?.LastSequence);
            _log = log;
            _pending = pending;
            if (_state == BusState.Reading && isRead)
            {
                CaughtUp(); // what was pending was deleted before it was delivered
            }

            if (_state != BusState.Live || !isRead)
            {
                return;
            }

            _caughtUpAt = Now;
            _caughtUpWall = _engine.Time.GetUtcNow();
            if (log.Messages < OnLog(TimeSpan.Zero) && !_mustCheck)
            {
                PeeringLog.BusLacks(_engine.Log, Plan.Settings.Name);
                _mustCheck = true;
                _bus.Reopen();
            }
        }
    }

    void IBusClient.OnClosed(string cause)
    {
        lock (_gate)
        {
            if (_state != BusState.Closed)
            {
                NoteError(cause, isNews: _state != BusState.Unreachable);
                SetState(BusState.Unreachable);
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _state = BusState.Closed;
        }

        _bus.Dispose();
    }

    private IEnumerable<RegisterTable> Indexes() => Plan.Policies.Select(_engine.IndexOf).OfType<RegisterTable>();

    private long After(TimeSpan span) => Now + (long)(span.TotalSeconds * _engine.Time.TimestampFrequency);

    /// <summary>Messages that the log should have: live rules, and tombstones up to an age.</summary>
    private ulong OnLog(TimeSpan tombstones) => (ulong)Indexes().Sum(index => index.CountOnLog(tombstones));

    /// <summary>
    /// For how long this node may have missed something. The monotonic clock stands still while a machine is suspended; the wall clock may be
    /// set. The longer time counts.
    /// </summary>
    private TimeSpan AwayFor()
    {
        if (!_wasCaughtUp)
        {
            return TimeSpan.Zero;
        }

        TimeSpan wall = (_engine.Time.GetUtcNow() - _caughtUpWall).Duration(), monotonic = _engine.Time.GetElapsedTime(_caughtUpAt);
        return wall > monotonic ? wall : monotonic;
    }

    /// <summary>Applies messages to the store.</summary>
    private void Apply(IReadOnlyList<BusMessage> messages)
    {
        DateTimeOffset now = _bus.Now;
        TimeSpan longest = _reading == Reading.Continued && _wasCaughtUp ? _engine.Time.GetElapsedTime(_caughtUpAt) : TimeSpan.MaxValue;
        long malformed = 0, later = 0;
        foreach (BusMessage message in messages)
        {
            switch (BusRegister.Read(message, _record, out Policy policy, out RemoteChange change, out DateTimeOffset writtenAt))
            {
                case BusReading.Good when Plan.Policies.Contains(policy):
                    _shown[(int)policy].Add(message.Sequence);
                    _changes[(int)policy].Add(change.Left is { } left ? change with { Left = left - Age(message.StoredAt, writtenAt, now, longest) } : change);
                    break;
                case BusReading.Malformed:
                    malformed++;
                    break;
                case BusReading.LaterVersion:
                    later++;
                    break;
                default:
                    break;
            }
        }

        int applied = 0, repaired = 0;
        foreach (Policy policy in Plan.Policies)
        {
            List<RemoteChange> changes = _changes[(int)policy];
            if (changes.Count > 0 && _engine.IndexOf(policy) is { } index)
            {
                applied += _engine.Apply(policy, changes, Creator).Applied;
                for (int i = 0; i < changes.Count; i++)
                {
                    ulong sequence = _shown[(int)policy][i];
                    LogValue value = index.OnLog(changes[i].Cidr, changes[i].Version!.Value, sequence);
                    repaired += value == LogValue.Older ? 1 : 0;
                    if (value == LogValue.Refused)
                    {
                        Keep(new RefusedChange(policy, changes[i], sequence, Now));
                    }
                }
            }

            changes.Clear();
            _shown[(int)policy].Clear();
        }

        lock (_gate)
        {
            _counters.Received += messages.Count;
            _counters.Applied += applied;
            _counters.Repaired += repaired;
            _counters.Malformed += malformed;
            _counters.LaterVersion += later;
        }
    }

    /// <summary>A change that was refused here is tried again; with too many of them the log is read again.</summary>
    private void Keep(RefusedChange change)
    {
        lock (_gate)
        {
            if (_refused.Count < MaxRefused)
            {
                _refused.Add(change);
                _tryAt = _tryAt == long.MaxValue ? After(_tries.Next()) : _tryAt;
            }
            else if (_rereadAt == long.MaxValue)
            {
                _rereadAt = After(_rereads.Next());
            }
        }
    }

    private void TryRefused()
    {
        RefusedChange[] refused = [.. _refused];
        _refused.Clear();
        _tryAt = long.MaxValue;
        foreach (IGrouping<Policy, RefusedChange> some in refused.GroupBy(change => change.Policy))
        {
            if (_engine.IndexOf(some.Key) is { } index)
            {
                _counters.Applied += _engine.Apply(
                    some.Key, [.. some.Select(one => one.Change with { Left = one.Change.Left - _engine.Time.GetElapsedTime(one.Since) })], Creator).Applied;
                foreach (RefusedChange one in some.Where(one => index.OnLog(one.Change.Cidr, one.Change.Version!.Value, one.Sequence) == LogValue.Refused))
                {
                    Keep(one);
                }
            }
        }

        if (_refused.Count == 0)
        {
            _tries.Reset();
        }
    }

    /// <summary>
    /// How long ago a value was written, by the log's clock. A message that came after the log was read to its end is not older than that,
    /// whatever the clock says.
    /// </summary>
    private static TimeSpan Age(DateTimeOffset storedAt, DateTimeOffset writtenAt, DateTimeOffset now, TimeSpan longest)
    {
        TimeSpan stored = now - storedAt;
        stored = stored > longest ? longest : stored;
        return (stored > TimeSpan.Zero ? stored : TimeSpan.Zero) + PeeringEngine.Transit(storedAt - writtenAt);
    }

    /// <summary>Nothing is pending: the node holds what the log holds.</summary>
    private void CaughtUp()
    {
        if (_state != BusState.Reading)
        {
            bool wasBehind = AwayFor() > MaxAbsence;
            _caughtUpAt = Now;
            _caughtUpWall = _engine.Time.GetUtcNow();
            if (wasBehind)
            {
                _mustCheck = true; // a reader that slow may have missed tombstones
                _reading = Reading.Absent;
                _bus.Reopen();
            }

            return;
        }

        foreach (RegisterTable index in Indexes())
        {
            if (_reading != Reading.Continued)
            {
                Settle(index);
            }

            _engine.Joined(index.Policy);
        }

        _republishAt = _reading == Reading.Continued
            ? _republishAt
            : After(FirstRepublish + ((LastRepublish - FirstRepublish) * _engine.Jitter.NextDouble()));
        if (_reading != Reading.Continued && _rereadAt == long.MaxValue)
        {
            _rereads.Reset();
        }

        _reading = Reading.Continued;
        _wasCaughtUp = true;
        _caughtUpAt = Now;
        _caughtUpWall = _engine.Time.GetUtcNow();
        _backoff.Reset();
        SetState(BusState.Live);
        Publish();
    }

    private void Settle(RegisterTable index)
    {
        List<OutgoingJob>? removed = _reading == Reading.Absent ? [] : null;
        index.EndDoubt(removed);
        if (removed is { Count: > 0 })
        {
            _engine.Apply(index.Policy, removed.ConvertAll(job => new RemoteChange(job.Cidr, job.Version, RegisterState.Removed, default, 0, null)), Creator);
            removed.ForEach(job => index.OnSwept(job.Cidr, job.Version));
            _counters.Swept += removed.Count;
            PeeringLog.BusSwept(_engine.Log, index.Policy.Name(), removed.Count);
        }

        index.EnqueueMissing(ownOnly: true, TombstoneLife);
    }

    /// <summary>Publishes marked registers, as many as may be in flight.</summary>
    private void Publish()
    {
        foreach (RegisterTable index in Indexes())
        {
            while (_inFlight < MaxInFlight && Now >= _publishAt && _state is BusState.Reading or BusState.Live)
            {
                var batch = new List<OutgoingJob>();
                index.TakeBatch(RegisterTable.BusQueue, BusLimits.MaxBatch, batch);
                if (batch.Count == 0)
                {
                    break;
                }

                DateTimeOffset now = _bus.Now;
                var values = new List<BusValue>(batch.Count);
                batch.ForEach(job => values.Add(BusRegister.Write(index.Policy, job, now)));
                _inFlight++;
                string log = _log!.Identity;
                _bus.Publish(values, receipts => OnReceipts(index, batch, log, receipts));
            }
        }
    }

    /// <param name="log">Identity of the log when they were sent: what a former log acknowledged is not in this one.</param>
    private void OnReceipts(RegisterTable index, List<OutgoingJob> batch, string log, BusReceipts receipts)
    {
        lock (_gate)
        {
            _inFlight--;
            if (_state == BusState.Closed)
            {
                return;
            }

            if (log != _log!.Identity)
            {
                Array.Clear(receipts.Sequences);
            }

            index.ConfirmOnLog(batch, receipts.Sequences);
            int stored = receipts.Sequences.Count(sequence => sequence != 0);
            _counters.Published += stored;
            _counters.Unacknowledged += batch.Count - stored;
            if (receipts.Fault is { } fault)
            {
                NoteError($"publish rules: {fault}", isNews: false);
                _publishAt = After(_backoff.Next());
                return;
            }

            _backoff.Reset();
            if (_state == BusState.Live)
            {
                Publish();
            }
        }
    }

    /// <summary>
    /// Deletes old tombstones from the log. Those of other nodes only while the log holds more than it should: their nodes are gone.
    /// </summary>
    private void DeleteTombstones()
    {
        if (_isDeleting || _state != BusState.Live || _log is not { } log)
        {
            return;
        }

        foreach (RegisterTable index in Indexes())
        {
            var found = new List<(Cidr Cidr, ulong Sequence)>();
            index.TakeDeletable(TombstoneLife, HasSurplus(log) ? TombstoneLife + OthersLater : null, budget: 2_048, MaxDeletions, found);
            if (found.Count == 0)
            {
                continue;
            }

            _isDeleting = true;
            _bus.Delete([.. found.Select(one => one.Sequence)], deleted =>
            {
                lock (_gate)
                {
                    _isDeleting = false;
                    if (_state == BusState.Closed)
                    {
                        return;
                    }

                    _counters.Deleted += deleted;
                    found.Take(deleted).ToList().ForEach(one => index.OnDeleted(one.Cidr, one.Sequence));
                }
            });
            return;
        }
    }

    /// <summary>Whether the log has more messages than it should: tombstones that their nodes do not delete.</summary>
    private bool HasSurplus(BusLog log)
    {
        if (!ReferenceEquals(_surplusOf, log)) // the same numbers may mean something else an hour later
        {
            _surplusOf = log;
            _hasSurplus = log.Messages > OnLog(TombstoneLife + OthersLater);
        }

        return _hasSurplus;
    }

    /// <param name="isNews">Whether the state changes by it; otherwise it is logged once a minute.</param>
    private void NoteError(string cause, bool isNews)
    {
        _lastError = cause;
        _lastErrorAt = _engine.Time.GetUtcNow();
        _counters.Failures++;
        if (isNews || Now >= _nextLog)
        {
            _nextLog = After(LogInterval);
            int marked = Indexes().Sum(index => index.QueueState(RegisterTable.BusQueue).Count);
            PeeringLog.BusFailed(_engine.Log, Plan.Settings.Name, cause, marked);
        }
    }

    private void SetState(BusState state)
    {
        if (state == BusState.Live && _state != BusState.Live)
        {
            PeeringLog.BusLive(_engine.Log, Plan.Settings.Name, _log!.Server, _log.Messages);
        }

        _state = state;
    }

    /// <param name="Since">When the message came, for the time that is left.</param>
    private sealed record RefusedChange(Policy Policy, RemoteChange Change, ulong Sequence, long Since);
}
