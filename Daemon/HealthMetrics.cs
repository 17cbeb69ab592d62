using Couic.Http.Metrics;
using Couic.Http.Wire;
using Couic.Sets;

namespace Couic.Daemon;

/// <summary>The metrics families of health and of the last reloads.</summary>
internal static class HealthMetrics
{
    public static void Write(MetricsText text, Health health, Reloader reloader, SetLoader sets)
    {
        IReadOnlyList<FaultStatus> faults = health.Find();
        text.Family("couic_healthy", "gauge", "Whether everything is filtered, loaded and in agreement as it should be (couicctl status --check).");
        text.Sample("couic_healthy", faults.Count == 0 ? 1UL : 0UL);
        text.Family("couic_faults", "gauge", "What is wrong now, by kind.");
        foreach (string kind in Health.Kinds)
        {
            text.Sample("couic_faults", "kind", kind, (ulong)faults.Count(fault => fault.Kind == kind));
        }

        List<(string Kind, bool Ok, DateTimeOffset At)> reloads = [("configuration", reloader.Last.Ok, reloader.Last.At)];
        if (sets.Last is { } last)
        {
            reloads.Add(("sets", last.IsOk, last.Time));
        }

        text.Family("couic_last_reload_successful", "gauge", "Whether the last load or reload of this kind went well.");
        reloads.ForEach(reload => text.Sample("couic_last_reload_successful", "kind", reload.Kind, reload.Ok ? 1UL : 0UL));
        text.Family("couic_last_reload_timestamp_seconds", "gauge", "When that was, in seconds since 1970.");
        reloads.ForEach(reload => text.Sample("couic_last_reload_timestamp_seconds", "kind", reload.Kind, (ulong)reload.At.ToUnixTimeSeconds()));
    }
}
