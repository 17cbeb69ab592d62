using Couic.Http.Metrics;
using Couic.Reporting;

namespace Couic.Daemon;

/// <summary>The metrics families of reporting.</summary>
internal static class ReportMetrics
{
    public static void Write(MetricsText text, ReportSender reports)
    {
        text.Family("couic_reports_queued", "gauge", "Reports that wait to be sent.");
        text.Sample("couic_reports_queued", (ulong)reports.Queued);
        text.Family("couic_reports_sent", "counter", "Reports that the webhook took.");
        text.Sample("couic_reports_sent_total", (ulong)reports.Sent);
        text.Family("couic_reports_dropped", "counter", "Reports that were lost because the queue was full.");
        text.Sample("couic_reports_dropped_total", (ulong)reports.Dropped);
        text.Family("couic_reports_failures", "counter", "Requests to the webhook that failed.");
        text.Sample("couic_reports_failures_total", (ulong)reports.Failures);
    }
}
