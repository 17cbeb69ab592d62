using System.Text;
using Couic.Logging.Abstractions;
using Couic.Native;
using Microsoft.Extensions.Logging;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>Notifies systemd (sd_notify(3)) through the socket of NOTIFY_SOCKET; does nothing without it. Thread-safe.</summary>
internal sealed class SystemdNotify : IDisposable
{
    /// <summary>How long a notice may wait for the service manager: a stuck one must not stop a loop of ours.</summary>
    private static readonly TimeSpan SendLimit = TimeSpan.FromSeconds(1);

    private readonly MessageChannel? _channel;

    public SystemdNotify()
        : this(Environment.GetEnvironmentVariable)
    {
    }

    /// <param name="variable">Reads a variable of the environment.</param>
    internal SystemdNotify(Func<string, string?> variable)
    {
        string? path = variable("NOTIFY_SOCKET");
        if (string.IsNullOrEmpty(path))
        {
            return;
        }

        try
        {
            _channel = MessageChannel.ConnectDatagrams(path, SendLimit);
        }
        catch (IOException)
        {
            return; // filtering continues without a service manager
        }

        if (long.TryParse(variable("WATCHDOG_USEC"), out long period) && period > 0)
        {
            WatchdogPeriod = TimeSpan.FromMicroseconds(period);
        }

        StoreCapacity = int.TryParse(variable("FDSTORE"), out int capacity) ? Math.Max(0, capacity) : 0;
    }

    /// <summary>The watchdog's timeout; null without a watchdog.</summary>
    public TimeSpan? WatchdogPeriod { get; }

    /// <summary>
    /// Descriptors that the service manager keeps for the next process of the service; 0 without a store. It passes them with the sockets
    /// at the start (<see cref="PassedDescriptors"/>).
    /// </summary>
    public int StoreCapacity { get; }

    public void Ready(string status) => Send($"READY=1\nSTATUS={status}\nMAINPID={Environment.ProcessId}");

    public void Status(string status) => Send($"STATUS={status}");

    /// <summary>Around a reload: systemd's <c>Type=notify-reload</c> wants the monotonic time with it.</summary>
    public void Reloading() =>
        Send($"RELOADING=1\nMONOTONIC_USEC={System.Diagnostics.Stopwatch.GetTimestamp() / (System.Diagnostics.Stopwatch.Frequency / 1_000_000)}");

    public void Alive() => Send("WATCHDOG=1");

    public void Stopping() => Send("STOPPING=1");

    /// <summary>Adds a descriptor to the store under a name, unless it is there. The service manager does not poll it.</summary>
    public bool Store(string name, SafeFileHandle descriptor) =>
        Send($"FDSTORE=1\nFDPOLL=0\nFDNAME={name}", [(int)descriptor.DangerousGetHandle()]);

    /// <summary>Removes the descriptors of that name from the store.</summary>
    public bool Unstore(string name) => Send($"FDSTOREREMOVE=1\nFDNAME={name}");

    public void Dispose() => _channel?.Dispose();

    private bool Send(string message, ReadOnlySpan<int> descriptors = default)
    {
        if (_channel is null)
        {
            return false;
        }

        bool isOpen = false;
        try
        {
            _channel.Handle.DangerousAddRef(ref isOpen);
            return _channel.Send(Encoding.UTF8.GetBytes(message), descriptors);
        }
        catch (ObjectDisposedException)
        {
            return false; // a notice after the end of the daemon
        }
        finally
        {
            if (isOpen)
            {
                _channel.Handle.DangerousRelease();
            }
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
