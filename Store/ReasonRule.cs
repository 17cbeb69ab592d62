using System.Text;
using System.Text.Unicode;

namespace Couic.Store;

/// <summary>Which texts may say why an entry exists.</summary>
public static class ReasonRule
{
    /// <summary>Bytes of UTF-8.</summary>
    public const int MaxBytes = 256;

    /// <summary>Null when the reason is valid, otherwise what is wrong with it.</summary>
    public static string? Fault(ReadOnlySpan<byte> reason)
    {
        if (reason.Length > MaxBytes)
        {
            return "longer than 256 bytes";
        }

        if (!Utf8.IsValid(reason))
        {
            return "not UTF-8";
        }

        while (!reason.IsEmpty)
        {
            _ = Rune.DecodeFromUtf8(reason, out Rune rune, out int length);
            if (Rune.IsControl(rune) || rune.Value is 0x2028 or 0x2029)
            {
                return "control characters and line ends are not allowed";
            }

            reason = reason[length..];
        }

        return null;
    }
}
