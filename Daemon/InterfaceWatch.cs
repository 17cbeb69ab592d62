using System.Diagnostics;
using Couic.Logging.Abstractions;
using Couic.Native;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// Keeps the filter on the interfaces of the configuration while they come, go and change. The kernel's notices say when to look,
/// and the attacher looks; a look each second covers what no notice tells, such as a link that somebody detaches, and lost notices.
/// One thread of its own, so that neither a busy thread pool nor a slow attacher delays anything else.
/// </summary>
internal sealed partial class InterfaceWatch : IDisposable
{
    /// <summary>Between looks that no notice asks for, or this many times what the last one took: at most a hundredth of a processor.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private const int PeriodFactor = 100;

    /// <summary>Between looks under a flood of notices: four times what the last one took, within these bounds.</summary>
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(10), LongestPause = TimeSpan.FromMilliseconds(40);

    /// <summary>A driver may reset its card for some seconds; an attacher that needs more is reported.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Between two tries to get another attacher, which begin a second apart.</summary>
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
    private HashSet<int> _indices = [];
    private InterfaceTracker? _observer;
    private long _askedAt, _lookedAt;
    private TimeSpan _lastLook, _sourceDelay;
    private long _sourceTriedAt;
    private bool _isAsked, _isDue = true, _isLate, _lossReported;

    /// <param name="source">Where another attacher can be had; null where there is none.</param>
    /// <param name="changed">Called after an answer that differs from the one before.</param>
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

    /// <summary>Has the interfaces attached, and follows them from then on.</summary>
    /// <returns>Whether the attacher answered within that time; it is waited for in any case.</returns>
    public bool Start(TimeSpan limit)
    {
        _thread.Start();
        return _firstAnswer.Wait(limit);
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
            if (!InternalErrors.Run(Place.Interfaces, _log, Turn))
            {
                // The interfaces are looked after again; not at once, in case the trouble comes back at once.
                _stop.Wait(Period);
            }
        }
    }

    private void Turn()
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

        ReportLateness();
        if (!_isAsked && DueIn() <= TimeSpan.Zero)
        {
            Look();
        }
    }

    /// <summary>Notices of other interfaces cost nothing more than reading them.</summary>
    private bool Concerns(NetworkInterface changed) =>
        _indices.Contains(changed.Index) || _names.Contains(changed.Name) || changed.AlternativeNames.Any(_names.Contains);

    private void Look()
    {
        _isDue = false;
        _askedAt = Stopwatch.GetTimestamp();
        if (_attacher.IsLost && !Regain())
        {
            Observe();
        }
        else if (_attacher.Ask())
        {
            _isAsked = true;
        }
        else
        {
            Lose();
        }
    }

    private void Receive()
    {
        switch (_attacher.Receive())
        {
            case AttacherNews.Answer:
                if (_lossReported)
                {
                    _lossReported = false;
                    _observer = null;
                    AttacherBack();
                }

                Finish();
                break;
            case AttacherNews.Lost:
                Lose();
                break;
        }
    }

    private void Finish()
    {
        _lookedAt = Stopwatch.GetTimestamp();
        _lastLook = Stopwatch.GetElapsedTime(_askedAt, _lookedAt);
        _isAsked = _isLate = false;
        _indices = [.. _attacher.States.Where(s => s.Index != 0).Select(s => s.Index)];
        if (_report.Compare(_attacher.States))
        {
            _changed();
        }

        _firstAnswer.Set();
    }

    /// <summary>The filter stays, as links are held here too; what changes from now on is not attached until there is another attacher.</summary>
    private void Lose()
    {
        _isAsked = false;
        _isDue = true;
        _lookedAt = Stopwatch.GetTimestamp();
        _lastLook = TimeSpan.Zero;
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

    /// <summary>Without an attacher the states are what this process sees for itself.</summary>
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

        _attacher.Observe(_observer.Look());
        Finish();
    }

    private bool Regain()
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
            ? Bounded(_lastLook * 4, ShortestPause, LongestPause)
            : Bounded(_lastLook * PeriodFactor, Period, TimeSpan.FromMinutes(1));
        return _lookedAt == 0 ? TimeSpan.Zero : wait - Stopwatch.GetElapsedTime(_lookedAt);
    }

    private int Timeout()
    {
        TimeSpan wait = !_isAsked ? DueIn() : _isLate ? System.Threading.Timeout.InfiniteTimeSpan : Patience - Stopwatch.GetElapsedTime(_askedAt);
        return wait == System.Threading.Timeout.InfiniteTimeSpan ? -1 : Math.Max(0, (int)Math.Ceiling(wait.TotalMilliseconds));
    }

    private static TimeSpan Bounded(TimeSpan value, TimeSpan least, TimeSpan most) => value < least ? least : value > most ? most : value;

    [LoggerMessage(EventName = "attacher_lost", Level = LogLevel.Error,
        Message = "the attacher process has ended: what is filtered stays filtered, but interfaces that change are not attached again ({Hint})")]
    private partial void AttacherLost(string hint);

    [LoggerMessage(EventName = "attacher_back", Level = LogLevel.Information, Message = "another attacher process looks after the interfaces")]
    private partial void AttacherBack();

    [LoggerMessage(EventName = "attacher_failed", Level = LogLevel.Error, Message = "the attacher process does not work: {Cause}")]
    private partial void AttacherFailed(string cause);

    [LoggerMessage(EventName = "attacher_late", Level = LogLevel.Error,
        Message = "the attacher process has not answered for {Seconds} s (a driver that hangs, or a stopped process); it is waited for")]
    private partial void AttacherLate(int seconds);

    [LoggerMessage(EventName = "no_interface_notices", Level = LogLevel.Warning,
        Message = "the kernel sends no notices of interfaces: {Cause} (they are looked at each second)")]
    private partial void NoNotices(string cause);
}
