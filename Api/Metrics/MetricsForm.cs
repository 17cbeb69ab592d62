namespace Couic.Api.Metrics;

/// <summary>The text forms of metrics that a client may ask for with <c>Accept</c>.</summary>
internal enum MetricsForm : byte
{
    /// <summary><c>application/openmetrics-text; version=1.0.0</c></summary>
    OpenMetrics,

    /// <summary><c>text/plain; version=0.0.4</c></summary>
    Plain,
}
