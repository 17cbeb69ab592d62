using System.Security.Cryptography;

namespace Couic.Config;

/// <summary>The SHA-256 of a certificate (its DER form), as <c>sha256:</c> and 64 lower-case hexadecimal digits.</summary>
public static class Fingerprint
{
    private const string Prefix = "sha256:";

    public const string Fault = "is not a fingerprint (sha256: and 64 hexadecimal digits, as couic certificate prints it)";

    public static string Of(ReadOnlySpan<byte> certificate) => Prefix + Convert.ToHexStringLower(SHA256.HashData(certificate));

    /// <summary>Also takes upper case, and colons between bytes, as openssl(1) prints them; null when it is none.</summary>
    public static string? Read(string text)
    {
        string digits = text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) ? text[Prefix.Length..].Replace(":", string.Empty, StringComparison.Ordinal) : string.Empty;
        return digits.Length == 2 * SHA256.HashSizeInBytes && digits.All(char.IsAsciiHexDigit) ? Prefix + digits.ToLowerInvariant() : null;
    }
}
