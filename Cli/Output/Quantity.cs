using System.Globalization;

namespace Couic.Cli.Output;

/// <summary>Numbers for humans: grouped, or short with a decimal unit.</summary>
internal static class Quantity
{
    private static readonly string[] Units = ["", "k", "M", "G", "T", "P", "E"];

    /// <summary><c>1,234,567</c>.</summary>
    public static string Grouped(ulong value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>At most three digits and a decimal unit: <c>999</c>, <c>1.23k</c>, <c>45.6M</c>.</summary>
    public static string Short(double value)
    {
        int unit = 0;
        while (value >= 999.5 && unit < Units.Length - 1)
        {
            value /= 1000;
            unit++;
        }

        string format = unit == 0 || value >= 99.95 ? "0" : value >= 9.995 ? "0.0" : "0.00";
        return value.ToString(format, CultureInfo.InvariantCulture) + Units[unit];
    }

    /// <summary>A count with a decimal unit: <c>999</c>, <c>1.2 k</c>, <c>45.6 M</c>.</summary>
    public static string Count(double value)
    {
        int unit = 0;
        while (value >= (unit == 0 ? 999.5 : 999.95) && unit < Units.Length - 1)
        {
            value /= 1000;
            unit++;
        }

        return value.ToString(unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + (unit == 0 ? "" : " " + Units[unit]);
    }

    /// <summary>Bytes in powers of 1024: <c>512 B</c>, <c>79.5 MiB</c>.</summary>
    public static string Bytes(ulong bytes)
    {
        double value = bytes;
        string[] units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        int unit = 0;
        while (value >= 1023.95 && unit < units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return value.ToString(unit == 0 ? "0" : "0.0", CultureInfo.InvariantCulture) + " " + units[unit];
    }
}

/// <summary>Formats a time in the past.</summary>
internal static class Ago
{
    /// <summary><c>3m4s ago</c>, or <c>now</c>. Seconds since 1970.</summary>
    public static string Text(ulong then, ulong now) => then >= now ? "now" : ExpirationCell.Left(now - then) + " ago";
}

/// <summary>Formats the remaining time of an entry.</summary>
internal static class ExpirationCell
{
    /// <param name="expiration">Seconds since 1970, 0 for never.</param>
    /// <param name="now">The current time; a second that has begun does not count.</param>
    public static string Format(ulong expiration, DateTimeOffset now)
    {
        if (expiration == 0)
        {
            return "never";
        }

        ulong second = (ulong)Math.Max(0, now.ToUnixTimeSeconds());
        if (expiration <= second)
        {
            return "expired";
        }

        bool begun = now.Ticks % TimeSpan.TicksPerSecond > 0;
        return Left(expiration - second - (begun ? 1UL : 0));
    }

    /// <summary><c>12s</c>, <c>3m4s</c>, <c>2h3m4s</c>, <c>5d 2h3m4s</c>.</summary>
    public static string Left(ulong seconds)
    {
        ulong days = seconds / 86_400, hours = seconds / 3_600 % 24, minutes = seconds / 60 % 60, rest = seconds % 60;
        return (days, hours, minutes) switch
        {
            ( > 0, _, _) => string.Create(CultureInfo.InvariantCulture, $"{days}d {hours}h{minutes}m{rest}s"),
            (_, > 0, _) => string.Create(CultureInfo.InvariantCulture, $"{hours}h{minutes}m{rest}s"),
            (_, _, > 0) => string.Create(CultureInfo.InvariantCulture, $"{minutes}m{rest}s"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{rest}s"),
        };
    }
}

/// <summary>Formats an instant for scripts.</summary>
internal static class PointInTime
{
    /// <summary>RFC 3339 in UTC, such as <c>2026-12-31T23:00:00Z</c>; <c>never</c> for 0. Seconds since 1970.</summary>
    public static string Text(ulong instant) => instant switch
    {
        0 => "never",
        > 253_402_300_799 => instant.ToString(CultureInfo.InvariantCulture), // after the year 9999
        _ => DateTimeOffset.FromUnixTimeSeconds((long)instant).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
    };
}
