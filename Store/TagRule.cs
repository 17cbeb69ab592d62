namespace Couic.Store;

/// <summary>Which tags an API entry may carry. Set entries carry <c>NAME.couic</c>, which this rule keeps for them.</summary>
public static class TagRule
{
    /// <summary>Bytes; as in couic 1.x.</summary>
    public const int MaxBytes = 64;

    public const string SetSuffix = ".couic";

    /// <summary>How the tag-less show in statistics.</summary>
    public const string Untagged = "untagged";

    /// <summary>Null when the tag is good, else what is wrong with it.</summary>
    public static string? Fault(ReadOnlySpan<byte> tag)
    {
        if (tag.Length > MaxBytes)
        {
            return "longer than 64 bytes";
        }

        if (tag.EndsWith(".couic"u8))
        {
            return "must not end in \".couic\" (kept for the entries of sets)";
        }

        foreach (byte c in tag)
        {
            if (!IsNameByte(c))
            {
                return "only ASCII letters, digits, \"-\" and \"_\" are allowed";
            }
        }

        return System.Text.Ascii.EqualsIgnoreCase(tag, "untagged"u8)
            ? "\"untagged\" is what entries without a tag are called"
            : null;
    }

    /// <summary>Whether the tag marks an entry of a set.</summary>
    public static bool IsSetTag(ReadOnlySpan<byte> tag) => tag.EndsWith(".couic"u8);

    /// <summary>The bytes of tags, set names and client names.</summary>
    public static bool IsNameByte(byte c) => char.IsAsciiLetterOrDigit((char)c) || c is (byte)'-' or (byte)'_';
}
