using System.Globalization;

namespace Couic.Config;

/// <summary>
/// A date, a time or both, exactly as written: the framework's types know neither year 0 nor second 60, which RFC 3339 has. Parts that
/// the kind does not have are 0; digits beyond nanoseconds are cut off.
/// </summary>
/// <param name="OffsetMinutes">East of UTC; null for the local kinds.</param>
public readonly record struct TomlDateTime(
    int Year, int Month, int Day, int Hour, int Minute, int Second, int Nanosecond, int? OffsetMinutes)
{
    public override string ToString()
    {
        string date = string.Create(CultureInfo.InvariantCulture, $"{Year:d4}-{Month:d2}-{Day:d2}");
        string time = string.Create(CultureInfo.InvariantCulture, $"{Hour:d2}:{Minute:d2}:{Second:d2}");
        time += Nanosecond == 0 ? string.Empty : string.Create(CultureInfo.InvariantCulture, $".{Nanosecond:d9}");
        string offset = OffsetMinutes switch
        {
            null => string.Empty,
            0 => "Z",
            int minutes => string.Create(
                CultureInfo.InvariantCulture, $"{(minutes < 0 ? '-' : '+')}{Math.Abs(minutes) / 60:d2}:{Math.Abs(minutes) % 60:d2}"),
        };
        return $"{date}T{time}{offset}";
    }
}
