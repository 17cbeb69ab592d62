using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>
/// Tells systemd that the daemon lives, as long as its loops go round: the expiry thread has run and the API's loop answers.
/// A loop that is stuck ends the signs of life, and systemd restarts the daemon.
/// </summary>
internal sealed class Watchdog : IDisposable
{
    /// <summary>A loop that has stood still for so long is stuck.</summary>
    private static readonly TimeSpan Stuck = TimeSpan.FromSeconds(5);

    private readonly SystemdNotify _systemd;
    private readonly Func<TimeSpan>[] _sinceLastRun;
    private readonly PeriodicTask? _task;

    /// <param name="sinceLastRun">For each loop, how long ago it was last seen going round.</param>
    public Watchdog(SystemdNotify systemd, ILogger log, params Func<TimeSpan>[] sinceLastRun)
    {
        _systemd = systemd;
        _sinceLastRun = sinceLastRun;
        if (systemd.WatchdogPeriod is { } period)
        {
            // Half of the period, as sd_watchdog_enabled(3) recommends.
            _task = new PeriodicTask(Place.Watchdog, log, period / 2, Look);
            _task.Start(TimeSpan.Zero);
        }
    }

    public void Dispose() => _task?.Dispose();

    private void Look()
    {
        if (Array.TrueForAll(_sinceLastRun, loop => loop() < Stuck))
        {
            _systemd.Alive();
        }
    }
}
