namespace Couic.Logging.Abstractions;

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
