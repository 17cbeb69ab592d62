using System.Globalization;

namespace Couic.Cli.Values;

/// <summary>
/// The value of <c>--expiration</c>: a time from now as in <see cref="TimeArgument"/>, <c>never</c>, or a date: <c>2026-12-31</c>,
/// <c>2026-12-31T23:00</c> in the time zone of this machine, or with its own offset as in RFC 3339.
/// </summary>
internal static class ExpirationArgument
{
    private static readonly string[] Formats = ["yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF"];

    /// <param name="expiration">Seconds since 1970, 0 for never.</param>
    /// <returns>Null when the text is valid; otherwise the error and what was expected.</returns>
    public static string? TryParse(string text, TimeProvider clock, out ulong expiration)
    {
        expiration = 0;
        if (text == "never")
        {
            return null;
        }

        ulong now = (ulong)clock.GetUtcNow().ToUnixTimeSeconds();
        if (TryDate(text.Trim().ToUpperInvariant(), clock.LocalTimeZone, out DateTimeOffset date))
        {
            bool isAhead = date.ToUnixTimeSeconds() > (long)now;
            expiration = isAhead ? (ulong)date.ToUnixTimeSeconds() : 0;
            return isAhead ? null : $"\"{Printable.Quote(text)}\" is in the past";
        }

        string? fault = TimeArgument.TryParse(text, out ulong seconds);
        expiration = seconds == 0 ? 0 : now + seconds;
        return fault?.Replace("2d, 1w", "2d, 1w, or a date such as 2026-12-31 or 2026-12-31T23:00", StringComparison.Ordinal);
    }

    private static bool TryDate(string text, TimeZoneInfo zone, out DateTimeOffset date)
    {
        text = text.Length > 10 && text[10] == ' ' ? $"{text[..10]}T{text[11..]}" : text;
        bool hasOffset = text.EndsWith('Z') || text.AsSpan(Math.Min(text.Length, 10)).ContainsAny('+', '-');
        if (hasOffset)
        {
            return DateTimeOffset.TryParseExact(
                text, Formats.Select(format => format + "K").ToArray(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out date);
        }

        bool isDate = DateTime.TryParseExact(text, Formats, CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTime local);

        // The first and the last hours of the calendar have no offset.
        isDate &= local.Year is > 1 and < 9999;
        date = isDate ? new DateTimeOffset(local, zone.GetUtcOffset(local)) : default;
        return isDate;
    }
}
