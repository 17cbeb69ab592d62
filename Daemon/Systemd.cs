using System.Net.Sockets;
using System.Text;
using Couic.Logging.Abstractions;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>Notifies systemd (sd_notify(3)) through the socket of NOTIFY_SOCKET; does nothing without it.</summary>
internal sealed class SystemdNotify : IDisposable
{
    private readonly Socket? _socket;
    private readonly UnixDomainSocketEndPoint? _address;

    public SystemdNotify()
    {
        string? path = Environment.GetEnvironmentVariable("NOTIFY_SOCKET");
        if (string.IsNullOrEmpty(path))
        {
            return;
        }

        _address = new UnixDomainSocketEndPoint(path[0] == '@' ? "\0" + path[1..] : path);
        _socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        if (long.TryParse(Environment.GetEnvironmentVariable("WATCHDOG_USEC"), out long period) && period > 0)
        {
            WatchdogPeriod = TimeSpan.FromMicroseconds(period);
        }
    }

    /// <summary>The watchdog's timeout; null without a watchdog.</summary>
    public TimeSpan? WatchdogPeriod { get; }

    public void Ready(string status) => Send($"READY=1\nSTATUS={status}\nMAINPID={Environment.ProcessId}");

    public void Status(string status) => Send($"STATUS={status}");

    /// <summary>Around a reload: systemd's <c>Type=notify-reload</c> wants the monotonic time with it.</summary>
    public void Reloading() =>
        Send($"RELOADING=1\nMONOTONIC_USEC={System.Diagnostics.Stopwatch.GetTimestamp() / (System.Diagnostics.Stopwatch.Frequency / 1_000_000)}");

    public void Alive() => Send("WATCHDOG=1");

    public void Stopping() => Send("STOPPING=1");

    public void Dispose() => _socket?.Dispose();

    private void Send(string message)
    {
        try
        {
            _socket?.SendTo(Encoding.UTF8.GetBytes(message), _address!);
        }
        catch (SocketException)
        {
            // Filtering continues without a service manager.
        }
    }
}

/// <summary>
/// Notifies systemd's watchdog as long as the expiry thread and the API's loop run. If one is stuck, the notifications end and systemd
/// restarts the daemon.
/// </summary>
internal sealed class Watchdog : IDisposable
{
    /// <summary>A loop that has not run for so long is stuck.</summary>
    private static readonly TimeSpan Stuck = TimeSpan.FromSeconds(5);

    private readonly SystemdNotify _systemd;
    private readonly Func<TimeSpan>[] _sinceLastRun;
    private readonly PeriodicTask? _task;

    /// <param name="sinceLastRun">The time since the last run of each loop.</param>
    public Watchdog(SystemdNotify systemd, ILogger log, params Func<TimeSpan>[] sinceLastRun)
    {
        _systemd = systemd;
        _sinceLastRun = sinceLastRun;
        if (systemd.WatchdogPeriod is { } period)
        {
            // Half of the period, as sd_watchdog_enabled(3) recommends.
            _task = new PeriodicTask(Place.Watchdog, log, period / 2, Poll);
            _task.Start(TimeSpan.Zero);
        }
    }

    public void Dispose() => _task?.Dispose();

    private void Poll()
    {
        if (Array.TrueForAll(_sinceLastRun, loop => loop() < Stuck))
        {
            _systemd.Alive();
        }
    }
}
