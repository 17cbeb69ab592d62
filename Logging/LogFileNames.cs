using System.Globalization;
using Couic.Config;

namespace Couic.Logging;

/// <summary>
/// Names of log files: <c>couic.log</c>, or <c>couic.YYYY-MM-DD.log</c> with a day of UTC. A file that was full has a number as well,
/// <c>couic.YYYY-MM-DD.3.log</c>, the higher the later.
/// </summary>
internal static class LogFileNames
{
    private const string Undated = "couic.log";
    private const string DayFormat = "yyyy-MM-dd";
    private const string Suffix = ".log";

    /// <summary>The file for a line of that time; a week has the date of the Sunday that it starts with.</summary>
    public static string For(LogRotation rotation, DateTime utc) => rotation switch
    {
        LogRotation.Daily => Dated(utc.Date),
        LogRotation.Weekly => Dated(utc.Date.AddDays(-(int)utc.DayOfWeek)),
        _ => Undated,
    };

    /// <summary>Whether a file is one of ours; others in the folder are left alone.</summary>
    public static bool IsOurs(string name) => TryParse(name, out _, out _);

    /// <summary>The name that a file gets when it is full, after those that were full before it.</summary>
    public static string Next(IEnumerable<string> names, string current)
    {
        _ = TryParse(current, out DateTime day, out _);
        int last = names.Select(name => TryParse(name, out DateTime of, out int number) && of == day && number < int.MaxValue ? number : 0).Append(0).Max();
        return string.Create(CultureInfo.InvariantCulture, $"{current[..^Suffix.Length]}.{last + 1}{Suffix}");
    }

    /// <summary>
    /// What to remove so that files of so many days, and so many bytes besides the one being written, are left: the oldest, those without a
    /// date before all others.
    /// </summary>
    public static IEnumerable<string> Surplus(IEnumerable<(string Name, long Bytes)> files, string current, int keep, long maxBytes)
    {
        _ = TryParse(current, out DateTime today, out _);
        var days = new HashSet<DateTime> { today };
        foreach ((string name, long bytes, DateTime day, _) in files.Where(file => IsOurs(file.Name) && file.Name != current).Select(Place)
            .OrderByDescending(file => file.Day).ThenByDescending(file => file.Number))
        {
            maxBytes -= bytes;
            if (maxBytes < 0 || (!days.Contains(day) && days.Count >= keep))
            {
                yield return name;
            }
            else
            {
                days.Add(day);
            }
        }
    }

    private static (string Name, long Bytes, DateTime Day, int Number) Place((string Name, long Bytes) file) =>
        TryParse(file.Name, out DateTime day, out int number) ? (file.Name, file.Bytes, day, number) : default;

    private static string Dated(DateTime day) => $"couic.{day.ToString(DayFormat, CultureInfo.InvariantCulture)}{Suffix}";

    /// <param name="number">That of a full file; of the others the highest there is.</param>
    private static bool TryParse(string name, out DateTime day, out int number)
    {
        day = DateTime.MinValue;
        number = int.MaxValue;
        string[] parts = name.Split('.');
        if (parts.Length is < 2 or > 4 || parts[0] != "couic" || parts[^1] != "log")
        {
            return false;
        }

        ReadOnlySpan<string> middle = parts.AsSpan(1, parts.Length - 2);
        if (middle.Length > 0 && DateTime.TryParseExact(middle[0], DayFormat, CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTime dated))
        {
            day = dated;
            middle = middle[1..];
        }

        return middle.IsEmpty || (middle.Length == 1 && middle[0] is [>= '1' and <= '9', ..]
            && int.TryParse(middle[0], NumberStyles.None, CultureInfo.InvariantCulture, out number));
    }
}
