using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// Runs an action periodically on the thread pool. The period starts at the end of a run, so runs never overlap and a slow one occupies
/// one pool thread.
/// </summary>
internal sealed class PeriodicTask : IDisposable
{
    private readonly Place _place;
    private readonly ILogger _log;
    private readonly Action _run;
    private readonly Func<TimeSpan> _period;
    private readonly Timer _timer;

    /// <param name="place">Its name in metrics and log lines.</param>
    /// <param name="period">From the end of a run to the next one.</param>
    public PeriodicTask(Place place, ILogger log, TimeSpan period, Action run)
        : this(place, log, () => period, run)
    {
    }

    /// <inheritdoc cref="PeriodicTask(Place, ILogger, TimeSpan, Action)"/>
    public PeriodicTask(Place place, ILogger log, Func<TimeSpan> period, Action run)
    {
        _place = place;
        _log = log;
        _run = run;
        _period = period;
        _timer = new Timer(static task => ((PeriodicTask)task!).Run(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Start(TimeSpan first) => Arm(first);

    public void Dispose() => _timer.Dispose();

    private void Run()
    {
        InternalErrors.Run(_place, _log, _run);
        Arm(_period());
    }

    private void Arm(TimeSpan wait)
    {
        try
        {
            _timer.Change(wait, Timeout.InfiniteTimeSpan);
        }
        catch (ObjectDisposedException)
        {
            // Disposed during a run.
        }
    }
}

/// <summary>
/// Runs an action on request. All requests during a run are answered by one more run after it, on the thread of the first request, so at
/// most one thread is busy. Thread-safe.
/// </summary>
/// <param name="run">Must not throw.</param>
internal sealed class CoalescedRuns(Action run)
{
    private readonly Lock _gate = new();
    private bool _isRunning;
    private bool _isAskedAgain;

    public void Request()
    {
        lock (_gate)
        {
            if (_isRunning)
            {
                _isAskedAgain = true;
                return;
            }

            _isRunning = true;
        }

        do
        {
            run();
        }
        while (IsRequestedAgain());
    }

    private bool IsRequestedAgain()
    {
        lock (_gate)
        {
            _isRunning = _isAskedAgain;
            _isAskedAgain = false;
            return _isRunning;
        }
    }
}
