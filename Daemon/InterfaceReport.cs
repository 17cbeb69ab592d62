using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// Logs changes of the interfaces: each once, in a bounded number of lines however many interfaces change. Not thread-safe.
/// </summary>
internal sealed partial class InterfaceReport(ILogger log, TimeProvider time)
{
    /// <summary>Lines at once; the budget regains one per second.</summary>
    internal const int Burst = 20;

    private IReadOnlyList<InterfaceState> _last = [];
    private double _budget = Burst;
    private long _refilledAt = time.GetTimestamp();
    private int _omitted;

    /// <summary>Logs the differences from the previous states.</summary>
    /// <returns>Whether there are any.</returns>
    public bool Compare(IReadOnlyList<InterfaceState> now)
    {
        IReadOnlyList<InterfaceState> before = _last;
        _last = now;
        Refill();
        if (before.SequenceEqual(now))
        {
            ReportOmitted();
            return false;
        }

        Dictionary<(string, int), InterfaceState> known = ByKey(before);
        foreach ((InterfaceState state, InterfaceState? old) in Changes(now, known))
        {
            if (_budget < 1)
            {
                _omitted++;
                continue;
            }

            _budget--;
            Report(old, state);
        }

        ReportOmitted();
        return true;
    }

    /// <summary>Unfiltered interfaces first: the budget must not suppress them.</summary>
    private static IEnumerable<(InterfaceState State, InterfaceState? Old)> Changes(
        IReadOnlyList<InterfaceState> now, Dictionary<(string, int), InterfaceState> known) =>
        now.OrderBy(state => state.IsAttached)
            .Select(state => (state, Old: known.GetValueOrDefault((state.Configured, state.Index)) ?? known.GetValueOrDefault((state.Configured, 0))))
            .Where(change => change.Old != change.state);

    /// <summary>By configured name and index; index 0 is the first of each name.</summary>
    private static Dictionary<(string, int), InterfaceState> ByKey(IReadOnlyList<InterfaceState> states)
    {
        var known = new Dictionary<(string, int), InterfaceState>();
        foreach (InterfaceState state in states)
        {
            known.TryAdd((state.Configured, 0), state);
            known[(state.Configured, state.Index)] = state;
        }

        return known;
    }

    private void Report(InterfaceState? before, InterfaceState now)
    {
        if (!now.IsAttached)
        {
            string cause = InterfaceSummary.Cause(now);
            if (before is { IsAttached: true })
            {
                Detached(InterfaceSummary.Name(now), cause);
            }
            else
            {
                NotAttached(InterfaceSummary.Name(now), cause);
            }
        }
        else if (before is not { IsAttached: true } || before.Index != now.Index)
        {
            ReportAttached(now);
        }
        else if (before.Attachment != now.Attachment && before.Attachment != 0 && now.Attachment != 0)
        {
            Stripped(InterfaceSummary.Name(now));
        }
        else if (before.Name != now.Name)
        {
            Renamed(before.Name, now.Name, now.Configured);
        }
    }

    private void ReportAttached(InterfaceState now)
    {
        if (now.Unpinned.Length > 0)
        {
            PinFailed(InterfaceSummary.Name(now), now.Unpinned);
        }

        if (now.IsTakenOver)
        {
            TakenOver(InterfaceSummary.Name(now), now.Mode);
        }
        else if (now.Gap.Length > 0)
        {
            Interrupted(InterfaceSummary.Name(now), now.Mode, now.Gap);
        }
        else
        {
            Attached(InterfaceSummary.Name(now), now.Mode);
        }
    }

    private void ReportOmitted()
    {
        if (_omitted > 0 && _budget >= 1)
        {
            _budget--;
            Omitted(_omitted, _last.Count(s => !s.IsAttached), _last.Count);
            _omitted = 0;
        }
    }

    private void Refill()
    {
        _budget = Math.Min(Burst, _budget + time.GetElapsedTime(_refilledAt).TotalSeconds);
        _refilledAt = time.GetTimestamp();
    }

    [LoggerMessage(EventName = "attached", Level = LogLevel.Information, Message = "attached to {Interface} in {Mode} mode")]
    private partial void Attached(string @interface, string mode);

    [LoggerMessage(EventName = "taken_over", Level = LogLevel.Information, Message = "took over {Interface} in {Mode} mode: it stayed filtered")]
    private partial void TakenOver(string @interface, string mode);

    [LoggerMessage(EventName = "interrupted", Level = LogLevel.Warning,
        Message = "{Interface} was detached and attached again in {Mode} mode, and was not filtered in between: {Cause}")]
    private partial void Interrupted(string @interface, string mode, string cause);

    [LoggerMessage(EventName = "pin_failed", Level = LogLevel.Error, Message = "{Interface} is filtered only while couic runs: {Cause}")]
    private partial void PinFailed(string @interface, string cause);

    [LoggerMessage(EventName = "detached", Level = LogLevel.Error,
        Message = "{Interface} is no longer filtered: {Cause}; it is attached again as soon as that is possible")]
    private partial void Detached(string @interface, string cause);

    [LoggerMessage(EventName = "attach_failed", Level = LogLevel.Error,
        Message = "{Interface} is not filtered: {Cause}; it is attached as soon as that is possible")]
    private partial void NotAttached(string @interface, string cause);

    [LoggerMessage(EventName = "reattached", Level = LogLevel.Warning,
        Message = "the program had been taken off {Interface}; it is attached again")]
    private partial void Stripped(string @interface);

    [LoggerMessage(EventName = "renamed", Level = LogLevel.Warning,
        Message = "{Before} is called {Now} now and stays filtered; after a restart {Configured} is looked for (ifaces in the configuration)")]
    private partial void Renamed(string before, string now, string configured);

    [LoggerMessage(EventName = "attach_changes_omitted", Level = LogLevel.Error,
        Message = "and {Count} more changes of interfaces; {Missing} of {All} are not filtered (couicctl status names them)")]
    private partial void Omitted(int count, int missing, int all);
}
