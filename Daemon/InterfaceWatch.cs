using Couic.Logging.Abstractions;
using Couic.Native;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// Notices interfaces that went and came back, and has the attacher look again. It asks the kernel for their numbers each
/// second, which costs microseconds and, unlike notices, cannot be lost.
/// </summary>
internal sealed partial class InterfaceWatch : IDisposable
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly AttacherChannel _attacher;
    private readonly ILogger _log;
    private readonly PeriodicTask _task;
    private readonly Dictionary<string, string> _lastFault = [];
    private bool _lostAttacher;

    public InterfaceWatch(AttacherChannel attacher, ILogger log)
    {
        _attacher = attacher;
        _log = log;
        _task = new PeriodicTask(Place.Interfaces, log, Period, Check);
        _task.Start(Period);
    }

    public void Dispose() => _task.Dispose();

    private void Check()
    {
        if (!_lostAttacher && _attacher.States.Any(HasChanged))
        {
            Look();
        }
    }

    private static bool HasChanged(InterfaceState state) =>
        !state.IsAttached || (int)Libc.if_nametoindex(state.Name) != state.Index;

    private void Look()
    {
        Dictionary<string, InterfaceState> before = _attacher.States.ToDictionary(s => s.Name);
        IReadOnlyList<InterfaceState>? now = _attacher.Look();
        if (now is null)
        {
            _lostAttacher = true;
            AttacherLost();
            return;
        }

        foreach (InterfaceState state in now)
        {
            Report(before.GetValueOrDefault(state.Name), state);
        }
    }

    private void Report(InterfaceState? before, InterfaceState now)
    {
        if (now.IsAttached)
        {
            if (before is null || !before.IsAttached || before.Index != now.Index)
            {
                _lastFault.Remove(now.Name);
                Attached(now.Name, now.Mode);
            }
        }
        else
        {
            if (before is { IsAttached: true })
            {
                Detached(now.Name, now.Error);
            }
            else if (_lastFault.GetValueOrDefault(now.Name) != now.Error)
            {
                StillMissing(now.Name, now.Error);
            }

            _lastFault[now.Name] = now.Error;
        }
    }

    [LoggerMessage(EventName = "attached", Level = LogLevel.Information, Message = "attached again to {Interface} in {Mode} mode")]
    private partial void Attached(string @interface, string mode);

    [LoggerMessage(EventName = "detached", Level = LogLevel.Error, Message = "no longer attached to {Interface}: {Cause}; it is tried every second")]
    private partial void Detached(string @interface, string cause);

    [LoggerMessage(EventName = "attach_failed", Level = LogLevel.Error, Message = "cannot attach to {Interface}: {Cause}; it is tried every second")]
    private partial void StillMissing(string @interface, string cause);

    [LoggerMessage(
        EventName = "attacher_lost",
        Level = LogLevel.Error,
        Message = "the attacher process has ended: interfaces that come back are not attached again (restart couic)")]
    private partial void AttacherLost();
}
