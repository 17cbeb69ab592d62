using System.Globalization;

namespace Couic.Cli.Output;

/// <summary>The time that an entry has left, in the words of the table.</summary>
internal static class ExpirationCell
{
    /// <param name="expiration">Seconds since 1970, 0 for never.</param>
    /// <param name="now">The present; a second that has begun does not count any more.</param>
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
