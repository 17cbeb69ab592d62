using Couic.Http.Metrics;
using Couic.Logging.Abstractions;

namespace Couic.Daemon;

/// <summary>The metrics family of exceptions that were caught at the top.</summary>
internal static class ErrorMetrics
{
    public static void Write(MetricsText text)
    {
        text.Family("couic_internal_errors", "counter", "Exceptions that nothing but the top-level handler of a loop, timer or callback caught: bugs, or no memory.");
        foreach (Place place in Enum.GetValues<Place>())
        {
            text.Sample("couic_internal_errors_total", "where", place.Name(), (ulong)InternalErrors.Count(place));
        }
    }
}
