using Couic.Http.Metrics;
using Couic.Logging;

namespace Couic.Daemon;

/// <summary>The metrics families of the log.</summary>
internal static class LogMetrics
{
    public static void Write(MetricsText text, LogFactory logs)
    {
        text.Family("couic_log_lines_dropped", "counter", "Log lines that were dropped because the queue was full.");
        text.Sample("couic_log_lines_dropped_total", (ulong)logs.Dropped);
        text.Family("couic_log_lines_lost", "counter", "Log lines that could not be written to the log file.");
        text.Sample("couic_log_lines_lost_total", (ulong)logs.Lost);
    }
}
