using Couic.Store;

namespace Couic.Peering;

internal sealed partial class PeerLink
{
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
                + $"since {_engine.Time.GetElapsedTime(_lastAttempt).TotalSeconds:F3} same {drop.InSync} suspect {drop.Suspect} due {drop.Due} "
                + $"comparing {_comparison?.LeafCount} {_lastError}";
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
            PeeringLog.LinkFault(_engine.Log, Settings.ToString(), fault);
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
