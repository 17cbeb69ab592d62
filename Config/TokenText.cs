namespace Couic.Config;

/// <summary>A client's token as configuration files write it: a hyphenated UUID with hex digits of either case.</summary>
internal static class TokenText
{
    /// <summary>For messages. The text itself is a secret and never quoted.</summary>
    public const string Fault = "is not a UUID (36 characters, hex digits and hyphens)";

    /// <summary>Accepts only that form: Guid's own parsers also accept "0x" and signs inside the groups.</summary>
    public static bool TryParse(string text, out Guid token)
    {
        token = default;
        return text.All(c => char.IsAsciiHexDigit(c) || c == '-') && Guid.TryParseExact(text, "D", out token);
    }
}
