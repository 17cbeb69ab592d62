namespace Couic.Config;

/// <summary>Dates and times, as RFC 3339 §5.6 writes them.</summary>
public sealed partial class TomlReader
{
    /// <summary>Four digits and a hyphen, or two and a colon: no number looks like that.</summary>
    private static bool LooksLikeTime(ReadOnlySpan<char> word) =>
        (word.Length > 4 && word[4] == '-' && AllDigits(word[..4])) || (word.Length > 2 && word[2] == ':' && AllDigits(word[..2]));

    private bool TryReadTime(TomlPosition at, out TomlValue? value)
    {
        value = null;
        int length = WordLength();
        bool hasDate = Rest[2] != ':';

        // A blank may stand between date and time, where the next word starts like a time.
        if (hasDate && length == 10 && Rest.Length > 13 && Rest[10] == ' ' && AllDigits(Rest.Slice(11, 2)) && Rest[13] == ':')
        {
            _position += 11;
            length = 11 + WordLength();
            _position -= 11;
        }

        ReadOnlySpan<char> text = Rest[..length];
        if (Parse(text, hasDate, out TomlKind kind, out TomlDateTime time) is { } fault)
        {
            return Fail(at, $"\"{text}\" is no {(hasDate ? "date" : "time")}: {fault}");
        }

        value = new TomlValue(kind, at, time);
        _position += length;
        return true;
    }

    private static string? Parse(ReadOnlySpan<char> text, bool hasDate, out TomlKind kind, out TomlDateTime result)
    {
        kind = hasDate ? TomlKind.LocalDate : TomlKind.LocalTime;
        result = default;
        if (hasDate)
        {
            if (ParseDate(ref text, ref result) is { } fault)
            {
                return fault;
            }

            if (text.IsEmpty)
            {
                return null;
            }

            if (text[0] is not ('T' or 't' or ' '))
            {
                return "expected \"T\" and a time behind the date";
            }

            text = text[1..];
        }

        if (ParseTime(ref text, ref result) is { } second)
        {
            return second;
        }

        if (!hasDate)
        {
            return text.IsEmpty ? null : "a time without a date has no offset";
        }

        kind = text.IsEmpty ? TomlKind.LocalDateTime : TomlKind.OffsetDateTime;
        return text.IsEmpty ? null : ParseOffset(text, ref result);
    }

    private static string? ParseDate(ref ReadOnlySpan<char> text, ref TomlDateTime result)
    {
        if (text.Length < 10 || !AllDigits(text.Slice(5, 2)) || text[7] != '-' || !AllDigits(text.Slice(8, 2)))
        {
            return "expected YYYY-MM-DD";
        }

        int year = Number(text[..4]), month = Number(text.Slice(5, 2)), day = Number(text.Slice(8, 2));
        if (month is < 1 or > 12)
        {
            return "the month is 01 to 12";
        }

        // Year 0 is a leap year of the proleptic Gregorian calendar, as 400 is; the framework's calendar starts at 1.
        if (day < 1 || day > DateTime.DaysInMonth(year == 0 ? 400 : year, month))
        {
            return "that month has no such day";
        }

        result = result with { Year = year, Month = month, Day = day };
        text = text[10..];
        return null;
    }

    private static string? ParseTime(ref ReadOnlySpan<char> text, ref TomlDateTime result)
    {
        if (text.Length < 8 || !AllDigits(text[..2]) || text[2] != ':' || !AllDigits(text.Slice(3, 2))
            || text[5] != ':' || !AllDigits(text.Slice(6, 2)))
        {
            return "expected HH:MM:SS";
        }

        int hour = Number(text[..2]), minute = Number(text.Slice(3, 2)), second = Number(text.Slice(6, 2));
        if (hour > 23 || minute > 59 || second > 60)
        {
            return "00:00:00 to 23:59:60";
        }

        text = text[8..];
        int nanosecond = 0;
        if (text.StartsWith('.'))
        {
            int end = text[1..].IndexOfAnyExcept(DecimalDigits);
            ReadOnlySpan<char> fraction = end < 0 ? text[1..] : text[1..(end + 1)];
            if (fraction.IsEmpty)
            {
                return "a digit is missing after \".\"";
            }

            for (int i = 0; i < 9; i++)
            {
                nanosecond = (nanosecond * 10) + (i < fraction.Length ? fraction[i] - '0' : 0);
            }

            text = text[(fraction.Length + 1)..];
        }

        result = result with { Hour = hour, Minute = minute, Second = second, Nanosecond = nanosecond };
        return null;
    }

    private static string? ParseOffset(ReadOnlySpan<char> text, ref TomlDateTime result)
    {
        if (text is "Z" or "z")
        {
            result = result with { OffsetMinutes = 0 };
            return null;
        }

        if (text.Length != 6 || text[0] is not ('+' or '-') || !AllDigits(text.Slice(1, 2)) || text[3] != ':' || !AllDigits(text[4..]))
        {
            return "expected an offset as Z or +HH:MM";
        }

        int hours = Number(text.Slice(1, 2)), minutes = Number(text[4..]);
        if (hours > 23 || minutes > 59)
        {
            return "an offset is at most 23:59";
        }

        result = result with { OffsetMinutes = ((hours * 60) + minutes) * (text[0] == '-' ? -1 : 1) };
        return null;
    }

    private static bool AllDigits(ReadOnlySpan<char> text) => text.IndexOfAnyExcept(DecimalDigits) < 0;

    private static int Number(ReadOnlySpan<char> digits)
    {
        int value = 0;
        foreach (char digit in digits)
        {
            value = (value * 10) + digit - '0';
        }

        return value;
    }
}
