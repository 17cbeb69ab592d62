using System.Globalization;

namespace Couic.Reporting.Receiver;

/// <summary>What happened in one interval.</summary>
/// <param name="From">UTC.</param>
/// <param name="To">UTC.</param>
/// <param name="Cidrs">Distinct networks; exact up to <see cref="Tally.MaxCidrs"/>.</param>
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
