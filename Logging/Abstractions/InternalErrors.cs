using Microsoft.Extensions.Logging;

namespace Couic.Logging.Abstractions;

/// <summary>
/// The top-level exception handler of every <see cref="Place"/>: an exception is logged and counted, and the place continues with its next
/// run. Unhandled, it would end the process and with it the filter. Thread-safe.
/// </summary>
public static partial class InternalErrors
{
    /// <summary>Between two log lines of one place, which may fail thousands of times per second.</summary>
    private const long LogMilliseconds = 1_000;

    private static readonly int Places = Enum.GetValues<Place>().Length;
    private static readonly long[] Counts = new long[Places];
    private static readonly long[] NextLog = new long[Places];
    private static readonly long[] Suppressed = new long[Places];

    /// <summary>Called at the beginning of each run of a place, so that tests can throw. Null in the product.</summary>
    internal static Action<Place>? Entered { get; set; }

    /// <summary>A place's exceptions since the start.</summary>
    public static long Count(Place place) => Interlocked.Read(ref Counts[(int)place]);

    /// <summary>Marks the beginning of a run; its exceptions must already be caught.</summary>
    public static void Enter(Place place) => Entered?.Invoke(place);

    /// <summary>Runs an action. False when it threw.</summary>
    public static bool Run(Place place, ILogger log, Action action)
    {
        try
        {
            Enter(place);
            action();
            return true;
        }
        catch (Exception e)
        {
            Caught(place, log, e);
            return false;
        }
    }

    /// <summary>Logs and counts an exception. Never throws.</summary>
    public static void Caught(Place place, ILogger log, Exception fault)
    {
        Caught(place);
        long now = Environment.TickCount64;
        long next = Interlocked.Read(ref NextLog[(int)place]);
        if (now < next || Interlocked.CompareExchange(ref NextLog[(int)place], now + LogMilliseconds, next) != next)
        {
            Interlocked.Increment(ref Suppressed[(int)place]);
            return;
        }

        try
        {
            Failed(log, place.Name(), Interlocked.Exchange(ref Suppressed[(int)place], 0), fault);
        }
        catch (Exception)
        {
            // Logging failed too, such as out of memory: the exception is counted.
        }
    }

    /// <summary>Counts an exception that the caller logs, or that cannot be logged.</summary>
    public static void Caught(Place place) => Interlocked.Increment(ref Counts[(int)place]);

    [LoggerMessage(EventName = "internal_error", Level = LogLevel.Error,
        Message = "internal error in {Where}: caught, and the program continues ({Suppressed} more not logged)")]
    private static partial void Failed(ILogger log, string where, long suppressed, Exception fault);
}

/// <summary>Code without a caller that could catch its exceptions: loops, timers, signal handlers, callbacks.</summary>
public enum Place : byte
{
    ApiLoop,
    ApiAccept,
    ApiConnection,
    ApiRequest,
    ApiHandshake,
    Certificate,
    Expiry,
    Drift,
    Guard,
    Interfaces,
    HeapCompactor,
    Watchdog,
    Journal,
    PeeringTick,
    PeerRequest,
    PeerProbe,
    Bus,
    Reports,
    Resolver,
    LogWriter,
    Events,
    Reload,
    Signal,
    Stop,
    UnobservedTask,
    Unhandled,
}

public static class PlaceNames
{
    /// <summary>The stable name in metrics and log lines.</summary>
    public static string Name(this Place place) => place switch
    {
        Place.ApiLoop => "api_loop",
        Place.ApiAccept => "api_accept",
        Place.ApiConnection => "api_connection",
        Place.ApiRequest => "api_request",
        Place.ApiHandshake => "api_handshake",
        Place.Certificate => "certificate",
        Place.Expiry => "expiry",
        Place.Drift => "drift",
        Place.Guard => "guard",
        Place.Interfaces => "interfaces",
        Place.HeapCompactor => "memory_trimmer",
        Place.Watchdog => "watchdog",
        Place.Journal => "journal",
        Place.PeeringTick => "peering_tick",
        Place.PeerRequest => "peer_request",
        Place.PeerProbe => "peer_probe",
        Place.Bus => "bus",
        Place.Reports => "reports",
        Place.Resolver => "resolver",
        Place.LogWriter => "log_writer",
        Place.Events => "events",
        Place.Reload => "reload",
        Place.Signal => "signal",
        Place.Stop => "stop",
        Place.UnobservedTask => "unobserved_task",
        Place.Unhandled => "unhandled",
        _ => throw new ArgumentOutOfRangeException(nameof(place)),
    };
}
