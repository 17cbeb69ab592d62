namespace Couic.Cli.Values;

/// <summary>
/// TIME on the command line: <c>0</c> for never; a bare number is minutes; otherwise numbers with units, such as <c>90s</c>,
/// <c>1h30m</c>, <c>1.5h</c>, <c>2 days</c>.
/// </summary>
internal static class TimeArgument
{
    private const string Expected = "expected 0 for never, minutes, or a duration such as 90s, 10m, 1h30m, 2d, 1w";

    /// <summary>Seconds; a decimal represents fractions such as 0.1h exactly.</summary>
    private const decimal MaxSeconds = 1_000_000_000_000;

    /// <param name="seconds">Whole seconds from now; 0 for never.</param>
    /// <returns>Null when the text is valid; otherwise the error and what was expected.</returns>
    public static string? TryParse(string text, out ulong seconds)
    {
        seconds = 0;
        if (text == "0")
        {
            return null;
        }

        if (!TrySum(text.Trim(' '), out decimal sum))
        {
            return $"\"{Printable.Quote(text)}\" is not a time: {Expected}";
        }

        if (sum < 1)
        {
            return $"\"{Printable.Quote(text)}\" is less than a second; 0 alone means never";
        }

        if (sum > MaxSeconds)
        {
            return $"\"{Printable.Quote(text)}\" is too long; 0 means never";
        }

        seconds = (ulong)sum;
        return null;
    }

    private static bool TrySum(ReadOnlySpan<char> text, out decimal sum)
    {
        sum = 0;
        bool first = true;
        while (!text.IsEmpty)
        {
            if (!TryNumber(ref text, out decimal number))
            {
                return false;
            }

            text = text.TrimStart(' ');
            int letters = text.IndexOfAnyExceptInRange('a', 'z');
            ReadOnlySpan<char> unit = letters < 0 ? text : text[..letters];
            text = text[unit.Length..].TrimStart(' ');
            if (unit.IsEmpty)
            {
                // A number without a unit must be the whole text.
                sum = number * 60;
                return first && text.IsEmpty;
            }

            int scale = SecondsOf(unit);
            if (scale == 0)
            {
                return false;
            }

            sum = Math.Min(sum + (number * scale), MaxSeconds + 1);
            first = false;
        }

        return !first;
    }

    /// <summary>Digits, or digits, a point and digits.</summary>
    private static bool TryNumber(ref ReadOnlySpan<char> text, out decimal number)
    {
        int whole = CountDigits(text);
        int all = whole;
        number = 0;
        if (whole < text.Length && text[whole] == '.')
        {
            int fraction = CountDigits(text[(whole + 1)..]);
            if (fraction == 0)
            {
                return false;
            }

            all = whole + 1 + fraction;
        }

        // 15 digits on each side exceed the longest time and fit a decimal's 28 digits.
        if (whole is 0 or > 15 || all - whole > 13)
        {
            return false;
        }

        number = decimal.Parse(text[..all], System.Globalization.NumberStyles.AllowDecimalPoint, System.Globalization.CultureInfo.InvariantCulture);
        text = text[all..];
        return true;
    }

    private static int CountDigits(ReadOnlySpan<char> text)
    {
        int end = text.IndexOfAnyExceptInRange('0', '9');
        return end < 0 ? text.Length : end;
    }

    private static int SecondsOf(ReadOnlySpan<char> unit) => unit switch
    {
        "s" or "sec" or "secs" or "second" or "seconds" => 1,
        "m" or "min" or "mins" or "minute" or "minutes" => 60,
        "h" or "hr" or "hrs" or "hour" or "hours" => 3_600,
        "d" or "day" or "days" => 86_400,
        "w" or "wk" or "wks" or "week" or "weeks" => 604_800,
        _ => 0,
    };
}
