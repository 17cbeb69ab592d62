using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// Runs something again and again on the thread pool. The next run is timed at the end of one, so that runs never overlap: one that is slow
/// takes one thread of the pool, and no more.
/// </summary>
internal sealed class PeriodicTask : IDisposable
{
    private readonly Place _place;
    private readonly ILogger _log;
    private readonly Action _run;
    private readonly Func<TimeSpan> _period;
    private readonly Timer _timer;

    /// <param name="place">What it is called in metrics and log lines.</param>
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
            // It was ended while it ran.
        }
    }
}

/// <summary>
/// Runs something when it is asked for. What is asked for during a run is one more run after it, however often that is, so that one
/// thread at most is busy with it: that of the first who asked. Thread-safe.
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
        while (GoesOn());
    }

    private bool GoesOn()
    {
        lock (_gate)
        {
            _isRunning = _isAskedAgain;
            _isAskedAgain = false;
            return _isRunning;
        }
    }
}
