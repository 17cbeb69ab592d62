using System.Buffers;
using System.Globalization;

namespace Couic.Config;

/// <summary>Integers and floats.</summary>
public sealed partial class TomlReader
{
    private static readonly SearchValues<char> DecimalDigits = SearchValues.Create("0123456789");
    private static readonly SearchValues<char> DigitsAndUnderscore = SearchValues.Create("0123456789_");
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");

    private bool TryReadNumberOrTime(TomlPosition at, out TomlValue? value)
    {
        int length = WordLength();
        ReadOnlySpan<char> word = Rest[..length];
        if (LooksLikeTime(word))
        {
            return TryReadTime(at, out value);
        }

        value = null;
        string? fault = word.Length > 2 && word[0] == '0' && word[1] is 'x' or 'o' or 'b'
            ? ReadPrefixed(word, out long integer)
            : ReadDecimal(word, out integer, out double real, out bool isReal) ?? Take(isReal, real, at, ref value);
        if (fault is not null)
        {
            return Fail(at, $"\"{word}\" is no value: {fault}");
        }

        value ??= new TomlValue(TomlKind.Integer, at, integer);
        _position += length;
        return true;
    }

    private static string? Take(bool isReal, double real, TomlPosition at, ref TomlValue? value)
    {
        value = isReal ? new TomlValue(TomlKind.Float, at, real) : null;
        return null;
    }

    /// <summary>Hexadecimal, octal or binary.</summary>
    private static string? ReadPrefixed(ReadOnlySpan<char> word, out long value)
    {
        value = 0;
        int bits = word[1] switch { 'x' => 4, 'o' => 3, _ => 1 };
        ReadOnlySpan<char> digits = word[2..];
        if (UnderscoreFault(digits) is { } fault)
        {
            return fault;
        }

        foreach (char c in digits)
        {
            int digit = c == '_' ? 0 : char.IsAsciiHexDigit(c) ? Convert.ToInt32(c.ToString(), 16) : int.MaxValue;
            if (digit >= 1 << bits)
            {
                return $"\"{c}\" is no digit of a number that starts with {word[..2]}";
            }

            if (c == '_')
            {
                continue;
            }

            if (value >> (63 - bits) != 0)
            {
                return "beyond 64 bits";
            }

            value = (value << bits) | (uint)digit;
        }

        return null;
    }

    private static string? ReadDecimal(ReadOnlySpan<char> word, out long integer, out double real, out bool isReal)
    {
        (integer, real, isReal) = (0, 0, true);
        bool negative = word[0] == '-';
        ReadOnlySpan<char> unsigned = word[0] is '+' or '-' ? word[1..] : word;
        if (unsigned is "inf" or "nan")
        {
            real = unsigned is "nan" ? double.NaN : negative ? double.NegativeInfinity : double.PositiveInfinity;
            return null;
        }

        int end = unsigned.IndexOfAny(".eE");
        isReal = end >= 0;
        ReadOnlySpan<char> whole = isReal ? unsigned[..end] : unsigned;
        if (DigitsFault(whole) is { } fault)
        {
            return fault;
        }

        if (whole.Length > 1 && whole[0] == '0')
        {
            return "leading zeros are not allowed";
        }

        if (isReal && FractionFault(unsigned[end..]) is { } second)
        {
            return second;
        }

        string plain = word.ToString().Replace("_", string.Empty, StringComparison.Ordinal);
        if (isReal)
        {
            real = double.Parse(plain, NumberStyles.Float, CultureInfo.InvariantCulture);
            return null;
        }

        return long.TryParse(plain, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out integer) ? null : "beyond 64 bits";
    }

    /// <summary>A fraction, an exponent or both.</summary>
    private static string? FractionFault(ReadOnlySpan<char> text)
    {
        if (text[0] == '.')
        {
            int exponent = text.IndexOfAny("eE");
            ReadOnlySpan<char> fraction = exponent < 0 ? text[1..] : text[1..exponent];
            if (DigitsFault(fraction) is { } fault)
            {
                return fault;
            }

            if (exponent < 0)
            {
                return null;
            }

            text = text[exponent..];
        }

        text = text[1..];
        return DigitsFault(text.Length > 0 && text[0] is '+' or '-' ? text[1..] : text);
    }

    private static string? DigitsFault(ReadOnlySpan<char> digits)
    {
        if (digits.IsEmpty)
        {
            return "a digit is missing";
        }

        int other = digits.IndexOfAnyExcept(DigitsAndUnderscore);
        return other >= 0 ? $"\"{digits[other]}\" is no digit (strings need quotes)" : UnderscoreFault(digits);
    }

    private static string? UnderscoreFault(ReadOnlySpan<char> digits) =>
        digits.StartsWith('_') || digits.EndsWith('_') || digits.Contains("__", StringComparison.Ordinal)
            ? "an underscore needs a digit on both sides"
            : null;
}
