using System.Globalization;
using Couic.Store;

namespace Couic.Reporting.Receiver;

/// <summary>One received report.</summary>
/// <param name="Tag">Empty for none.</param>
internal readonly record struct ReceivedReport(bool IsRemoval, Cidr Cidr, string Tag);

/// <summary>Aggregates reports until an interval ends, in bounded memory. Thread-safe.</summary>
internal sealed class SummaryWindow
{
    /// <summary>Distinct networks that are counted: 40 MiB.</summary>
    public const int MaxCidrs = 1_000_000;

    /// <summary>Distinct tags that are counted.</summary>
    public const int MaxTags = 10_000;

    private readonly Lock _gate = new();
    private readonly string _server;
    private readonly Thresholds _thresholds;
    private readonly TimeProvider _time;
    private HashSet<Cidr> _cidrs = [];
    private Dictionary<string, long> _tags = [];
    private DateTimeOffset _from;
    private long _additions;
    private long _removals;

    public SummaryWindow(string server, Thresholds thresholds, TimeProvider time)
    {
        _server = server;
        _thresholds = thresholds;
        _time = time;
        _from = time.GetUtcNow();
    }

    public void Add(IReadOnlyCollection<ReceivedReport> reports)
    {
        lock (_gate)
        {
            foreach (ReceivedReport report in reports)
            {
                _additions += report.IsRemoval ? 0 : 1;
                _removals += report.IsRemoval ? 1 : 0;
                if (_cidrs.Count < MaxCidrs)
                {
                    _cidrs.Add(report.Cidr.Network);
                }

                if (report.Tag.Length > 0 && (_tags.Count < MaxTags || _tags.ContainsKey(report.Tag)))
                {
                    _tags[report.Tag] = _tags.GetValueOrDefault(report.Tag) + 1;
                }
            }
        }
    }

    /// <summary>Ends the interval and starts the next.</summary>
    public Summary Take()
    {
        lock (_gate)
        {
            DateTimeOffset now = _time.GetUtcNow();
            long reports = _additions + _removals;
            KeyValuePair<string, long> top = _tags.OrderByDescending(t => t.Value).ThenBy(t => t.Key, StringComparer.Ordinal).FirstOrDefault();
            var summary = new Summary(
                _server, _from, now, _thresholds.Of(reports), reports, _cidrs.Count, _additions, _removals, top.Key, top.Value);
            _from = now;
            _additions = _removals = 0;
            _cidrs = [];
            _tags = [];
            return summary;
        }
    }
}

/// <summary>The reports of one interval.</summary>
/// <param name="From">UTC.</param>
/// <param name="To">UTC.</param>
/// <param name="Cidrs">Distinct networks; exact up to <see cref="SummaryWindow.MaxCidrs"/>.</param>
/// <param name="TopTag">The most frequent tag; null when no report had one.</param>
internal sealed record Summary(
    string Server,
    DateTimeOffset From,
    DateTimeOffset To,
    Colour Colour,
    long Reports,
    long Cidrs,
    long Additions,
    long Removals,
    string? TopTag,
    long TopTagCount)
{
    /// <summary>One line for a chat's notification.</summary>
    public string Title => string.Create(
        CultureInfo.InvariantCulture, $"{Server}: {Reports} {(Reports == 1 ? "report" : "reports")} in {DurationText}");

    /// <summary>Label and value of each figure, for tables.</summary>
    public IEnumerable<(string Label, string Value)> Figures =>
    [
        ("Networks", Cidrs.ToString(CultureInfo.InvariantCulture)),
        ("Added", Additions.ToString(CultureInfo.InvariantCulture)),
        ("Removed", Removals.ToString(CultureInfo.InvariantCulture)),
        ("Top tag", TopTag is null ? "none" : string.Create(CultureInfo.InvariantCulture, $"{TopTag} ({TopTagCount})")),
    ];

    private string DurationText
    {
        get
        {
            var time = TimeSpan.FromSeconds(Math.Round((To - From).TotalSeconds));
            return time.TotalSeconds % 60 == 0 && time.TotalMinutes >= 1
                ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalMinutes} min")
                : string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds} s");
        }
    }
}
