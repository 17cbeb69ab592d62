using System.Diagnostics;
using Couic.Logging.Abstractions;
using Couic.Native;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// Keeps the filter attached to the configured interfaces while they appear, disappear and change. The kernel's notices trigger a request
/// to the attacher; a request per second covers lost notices and changes without one, such as a detached link. It has its own thread, so
/// that a slow attacher delays nothing else.
/// </summary>
internal sealed partial class InterfaceWatch : IDisposable
{
    /// <summary>Between polls without a notice, or this many times the last one's duration: at most 1 % of a processor.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private const int PeriodFactor = 100;

    /// <summary>Between polls under a flood of notices: four times the last one's duration, within these bounds.</summary>
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(10), LongestPause = TimeSpan.FromMilliseconds(40);

    /// <summary>A driver may reset its card for some seconds; a slower attacher is reported.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>The longest interval between attempts to start another attacher; the first is a second.</summary>
    private static readonly TimeSpan LongestDelay = TimeSpan.FromMinutes(1);

    private const ulong NoticesKey = 1, ChannelKey = 2;

    private readonly AttacherChannel _attacher;
    private readonly IAttacherSource? _source;
    private readonly IReadOnlyList<string> _configured;
    private readonly InterfaceReport _report;
    private readonly Action _changed;
    private readonly ILogger _log;
    private readonly Poller _poller = new();
    private readonly LinkNotices? _notices;
    private readonly HashSet<string> _names;
    private readonly ObservedInterfaces _observed = new();
    private readonly ManualResetEventSlim _firstAnswer = new();
    private readonly ManualResetEventSlim _stop = new();
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _stored = new();
    private volatile DescriptorStore? _store;
    private HashSet<int> _indices = [];
    private InterfaceTracker? _observer;
    private long _askedAt, _repliedAt;
    private TimeSpan _lastDuration, _sourceDelay;
    private long _sourceTriedAt;
    private bool _isAsked, _isDue = true, _isLate, _lossReported;

    /// <param name="source">Starts another attacher; null if that is impossible.</param>
    /// <param name="changed">Called after a reply that differs from the previous one.</param>
    public InterfaceWatch(AttacherChannel attacher, IAttacherSource? source, IReadOnlyList<string> configured, ILogger log, Action changed)
    {
        _attacher = attacher;
        _source = source;
        _configured = configured;
        _log = log;
        _changed = changed;
        _report = new InterfaceReport(log, TimeProvider.System);
        _names = [.. configured];
        if (LinkNotices.TryOpen(out _notices) is var errno and not Errno.None)
        {
            NoNotices(errno.Text());
        }
        else
        {
            _poller.Add(_notices!.Handle, PollEvents.Readable, NoticesKey);
        }

        _poller.Add(attacher.Handle, PollEvents.Readable, ChannelKey);
        _thread = new Thread(Run) { IsBackground = true, Name = "interfaces" };
    }

    /// <summary>Attaches to the interfaces, and follows them from then on.</summary>
    /// <returns>Whether the attacher replied within the limit.</returns>
    public bool Start(TimeSpan limit)
    {
        _thread.Start();
        return _firstAnswer.Wait(limit);
    }

    /// <summary>Keeps the links of attached interfaces in the store from now on.</summary>
    /// <param name="limit">How long to wait until it has them.</param>
    public void KeepLinks(DescriptorStore store, TimeSpan limit)
    {
        _store = store;
        _poller.Wake();
        _stored.Wait(limit);
    }

    public void Dispose()
    {
        if (_stop.IsSet)
        {
            return;
        }

        _stop.Set();
        _poller.Wake();
        if (_thread.ThreadState.HasFlag(System.Threading.ThreadState.Unstarted) || _thread.Join(Patience))
        {
            _notices?.Dispose();
            _poller.Dispose();
            _observed.Dispose();
        }
    }

    private void Run()
    {
        Prctl.SetThreadName("couic-ifaces"u8);
        while (!_stop.IsSet)
        {
            if (!InternalErrors.Run(Place.Interfaces, _log, RunOnce))
            {
                // Not at once, in case the fault recurs at once.
                _stop.Wait(Period);
            }
        }
    }

    private void RunOnce()
    {
        int events = _poller.Wait(Timeout());
        for (int i = 0; i < events; i++)
        {
            if (!_poller.Event(i, out _, out ulong key))
            {
                continue;
            }

            if (key == NoticesKey)
            {
                _isDue |= _notices!.Drain(Concerns);
            }
            else if (!_attacher.IsLost)
            {
                Receive();
            }
        }

        if (_stop.IsSet)
        {
            return;
        }

        if (_store is { } store && _attacher.Links is { } links)
        {
            store.Update(links);
            _stored.Set();
        }

        ReportLateness();
        if (!_isAsked && DueIn() <= TimeSpan.Zero)
        {
            Poll();
        }
    }

    /// <summary>Notices of other interfaces do not trigger a poll.</summary>
    private bool Concerns(NetworkInterface changed) =>
        _indices.Contains(changed.Index) || _names.Contains(changed.Name) || changed.AlternativeNames.Any(_names.Contains);

    private void Poll()
    {
        _isDue = false;
        _askedAt = Stopwatch.GetTimestamp();
        if (_attacher.IsLost && !TryReconnect())
        {
            Observe();
        }
        else if (_attacher.Ask())
        {
            _isAsked = true;
        }
        else
        {
            OnAttacherLost();
        }
    }

    private void Receive()
    {
        switch (_attacher.Receive())
        {
            case AttacherEvent.Reply:
                if (_lossReported)
                {
                    _lossReported = false;
                    _observer = null;
                    AttacherBack();
                }

                OnReply();
                break;
            case AttacherEvent.Lost:
                OnAttacherLost();
                break;
        }
    }

    private void OnReply()
    {
        _repliedAt = Stopwatch.GetTimestamp();
        _lastDuration = Stopwatch.GetElapsedTime(_askedAt, _repliedAt);
        _isAsked = _isLate = false;
        _indices = [.. _attacher.States.Where(s => s.Index != 0).Select(s => s.Index)];
        foreach (int index in _attacher.TakeDetached())
        {
            Unfiltered(_observed.Find(index, out NetworkInterface found) == Errno.None ? found.Name : $"interface {index}");
        }

        if (_report.Compare(_attacher.States))
        {
            _changed();
        }

        _firstAnswer.Set();
    }

    /// <summary>The filter stays attached, because this process holds the links too; interfaces that change need another attacher.</summary>
    private void OnAttacherLost()
    {
        _isAsked = false;
        _isDue = true;
        _repliedAt = Stopwatch.GetTimestamp();
        _lastDuration = TimeSpan.Zero;
        if (_attacher.Failure.Length > 0)
        {
            AttacherFailed(_attacher.Failure);
        }

        if (!_lossReported)
        {
            _lossReported = true;
            _sourceDelay = Stopwatch.GetElapsedTime(_sourceTriedAt) > LongestDelay ? TimeSpan.Zero : _sourceDelay;
            AttacherLost(_source is null ? "restart couic" : "another one is asked for");
            _changed();
        }

        _firstAnswer.Set();
    }

    /// <summary>Without an attacher, this process observes the states.</summary>
    private void Observe()
    {
        if (_observer is null)
        {
            _observed.Programs = [.. _attacher.States.Where(s => s.IsAttached).Select(s => s.Program).Union(_observed.Programs)];
            _observer = new InterfaceTracker(_observed, _configured, TimeProvider.System);
            foreach (InterfaceState state in _attacher.States.Where(s => s.IsAttached))
            {
                if (_observed.Find(state.Index, out NetworkInterface found) == Errno.None)
                {
                    _observer.Adopt(state.Configured, found);
                }
            }
        }

        _attacher.Observe(_observer.Poll());
        OnReply();
    }

    private bool TryReconnect()
    {
        if (_source is null || (_sourceDelay > TimeSpan.Zero && Stopwatch.GetElapsedTime(_sourceTriedAt) < _sourceDelay))
        {
            return false;
        }

        _sourceTriedAt = Stopwatch.GetTimestamp();
        _sourceDelay = Bounded(_sourceDelay * 2, Period, LongestDelay);
        if (_source.Connect() is not { } channel)
        {
            return false;
        }

        _attacher.Replace(channel);
        _poller.Add(_attacher.Handle, PollEvents.Readable, ChannelKey);
        return true;
    }

    private void ReportLateness()
    {
        if (_isAsked && !_isLate && Stopwatch.GetElapsedTime(_askedAt) > Patience)
        {
            _isLate = true;
            AttacherLate((int)Patience.TotalSeconds);
        }
    }

    private TimeSpan DueIn()
    {
        TimeSpan wait = _isDue
            ? Bounded(_lastDuration * 4, ShortestPause, LongestPause)
            : Bounded(_lastDuration * PeriodFactor, Period, TimeSpan.FromMinutes(1));
        return _repliedAt == 0 ? TimeSpan.Zero : wait - Stopwatch.GetElapsedTime(_repliedAt);
    }

    private int Timeout()
    {
        TimeSpan wait = !_isAsked ? DueIn() : _isLate ? System.Threading.Timeout.InfiniteTimeSpan : Patience - Stopwatch.GetElapsedTime(_askedAt);
        return wait == System.Threading.Timeout.InfiniteTimeSpan ? -1 : Math.Max(0, (int)Math.Ceiling(wait.TotalMilliseconds));
    }

    private static TimeSpan Bounded(TimeSpan value, TimeSpan least, TimeSpan most) => value < least ? least : value > most ? most : value;

    [LoggerMessage(EventName = "filter_removed", Level = LogLevel.Warning,
        Message = "{Interface} was filtered by the previous process and is not any more: it is gone, or the configuration has no name of it")]
    private partial void Unfiltered(string @interface);

    [LoggerMessage(EventName = "attacher_lost", Level = LogLevel.Error,
        Message = "the attacher process has ended: what is filtered stays filtered, but interfaces that change are not attached again ({Hint})")]
    private partial void AttacherLost(string hint);

    [LoggerMessage(EventName = "attacher_back", Level = LogLevel.Information, Message = "another attacher process manages the interfaces")]
    private partial void AttacherBack();

    [LoggerMessage(EventName = "attacher_failed", Level = LogLevel.Error, Message = "the attacher process failed: {Cause}")]
    private partial void AttacherFailed(string cause);

    [LoggerMessage(EventName = "attacher_late", Level = LogLevel.Error,
        Message = "the attacher process has not answered for {Seconds} s (a driver that hangs, or a stopped process); still waiting")]
    private partial void AttacherLate(int seconds);

    [LoggerMessage(EventName = "no_interface_notices", Level = LogLevel.Warning,
        Message = "the kernel sends no notices of interfaces: {Cause} (they are checked every second)")]
    private partial void NoNotices(string cause);
}
