using System.Globalization;
using Couic.Config;

namespace Couic.Logging;

/// <summary>Names of log files: <c>couic.log</c>, or <c>couic.YYYY-MM-DD.log</c> with a day of UTC.</summary>
internal static class LogFileNames
{
    private const string Undated = "couic.log";
    private const string DayFormat = "yyyy-MM-dd";

    /// <summary>The file for a line of that time; a week has the date of the Sunday that it starts with.</summary>
    public static string For(LogRotation rotation, DateTime utc) => rotation switch
    {
        LogRotation.Daily => Dated(utc.Date),
        LogRotation.Weekly => Dated(utc.Date.AddDays(-(int)utc.DayOfWeek)),
        _ => Undated,
    };

    /// <summary>Whether a file is one of ours; others in the folder are left alone.</summary>
    public static bool IsOurs(string name) => name == Undated || TryDay(name, out _);

    /// <summary>What to remove so that, with the one being written, so many are left: the oldest, one without a date before all others.</summary>
    public static IEnumerable<string> Surplus(IEnumerable<string> names, string current, int keep) =>
        names.Where(name => IsOurs(name) && name != current)
            .OrderByDescending(name => TryDay(name, out DateTime day) ? day : DateTime.MinValue)
            .Skip(keep - 1);

    private static string Dated(DateTime day) => $"couic.{day.ToString(DayFormat, CultureInfo.InvariantCulture)}.log";

    private static bool TryDay(string name, out DateTime day)
    {
        day = default;
        return name.Length == "couic.YYYY-MM-DD.log".Length && name.StartsWith("couic.", StringComparison.Ordinal)
            && name.EndsWith(".log", StringComparison.Ordinal)
            && DateTime.TryParseExact(name[6..16], DayFormat, CultureInfo.InvariantCulture, DateTimeStyles.None, out day);
    }
}
