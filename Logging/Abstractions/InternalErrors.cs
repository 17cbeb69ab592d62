using Microsoft.Extensions.Logging;

namespace Couic.Logging.Abstractions;

/// <summary>
/// The top-level handler of every <see cref="Place"/>: an exception there is logged and counted, and the place goes on with its next turn.
/// An unhandled exception would end the process, and the filter with it. Thread-safe.
/// </summary>
public static partial class InternalErrors
{
    /// <summary>Between two log lines of one place, which may fail thousands of times a second.</summary>
    private const long LogMilliseconds = 1_000;

    private static readonly int Places = Enum.GetValues<Place>().Length;
    private static readonly long[] Counts = new long[Places];
    private static readonly long[] NextLog = new long[Places];
    private static readonly long[] Unsaid = new long[Places];

    /// <summary>Called at the beginning of each turn of a place; tests set it, and throw. Null in the product.</summary>
    internal static Action<Place>? Entered { get; set; }

    /// <summary>Exceptions of a place since the start.</summary>
    public static long Count(Place place) => Interlocked.Read(ref Counts[(int)place]);

    /// <summary>The beginning of a turn, inside whatever catches its exceptions.</summary>
    public static void Enter(Place place) => Entered?.Invoke(place);

    /// <summary>Runs one turn. False when it threw.</summary>
    public static bool Run(Place place, ILogger log, Action turn)
    {
        try
        {
            Enter(place);
            turn();
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
            Interlocked.Increment(ref Unsaid[(int)place]);
            return;
        }

        try
        {
            Failed(log, place.Name(), Interlocked.Exchange(ref Unsaid[(int)place], 0), fault);
        }
        catch (Exception)
        {
            // Out of memory while it is said: it is counted.
        }
    }

    /// <summary>Counts an exception that the caller logs, or that cannot be logged.</summary>
    public static void Caught(Place place) => Interlocked.Increment(ref Counts[(int)place]);

    [LoggerMessage(EventName = "internal_error", Level = LogLevel.Error,
        Message = "internal error in {Where}: caught, and the program goes on ({Suppressed} more not logged)")]
    private static partial void Failed(ILogger log, string where, long suppressed, Exception fault);
}

/// <summary>Where code runs that has no caller who could catch its exceptions: the turns of loops and timers, signal handlers, callbacks.</summary>
public enum Place : byte
{
    ApiLoop,
    ApiAccept,
    ApiConnection,
    ApiRequest,
    Expiry,
    Drift,
    Guard,
    Interfaces,
    MemoryTrimmer,
    Watchdog,
    PeeringTick,
    PeerRequest,
    PeerProbe,
    Reports,
    Resolver,
    LogWriter,
    Reload,
    Signal,
    Stop,
    UnobservedTask,
    Unhandled,
}

public static class PlaceNames
{
    /// <summary>As metrics and log lines have it. Stable.</summary>
    public static string Name(this Place place) => place switch
    {
        Place.ApiLoop => "api_loop",
        Place.ApiAccept => "api_accept",
        Place.ApiConnection => "api_connection",
        Place.ApiRequest => "api_request",
        Place.Expiry => "expiry",
        Place.Drift => "drift",
        Place.Guard => "guard",
        Place.Interfaces => "interfaces",
        Place.MemoryTrimmer => "memory_trimmer",
        Place.Watchdog => "watchdog",
        Place.PeeringTick => "peering_tick",
        Place.PeerRequest => "peer_request",
        Place.PeerProbe => "peer_probe",
        Place.Reports => "reports",
        Place.Resolver => "resolver",
        Place.LogWriter => "log_writer",
        Place.Reload => "reload",
        Place.Signal => "signal",
        Place.Stop => "stop",
        Place.UnobservedTask => "unobserved_task",
        Place.Unhandled => "unhandled",
        _ => throw new ArgumentOutOfRangeException(nameof(place)),
    };
}
