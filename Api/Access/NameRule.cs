namespace Couic.Api.Access;

/// <summary>Which names clients and sets may have. They become file names, so nothing but these bytes may pass.</summary>
public static class NameRule
{
    /// <summary>Bytes; as in couic 1.x.</summary>
    public const int MaxBytes = 48;

    /// <summary>Null when the name is good, else what is wrong with it.</summary>
    public static string? Fault(ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty)
        {
            return "must not be empty";
        }

        if (name.Length > MaxBytes)
        {
            return "longer than 48 bytes";
        }

        foreach (byte c in name)
        {
            if (!char.IsAsciiLetterOrDigit((char)c) && c is not ((byte)'-' or (byte)'_'))
            {
                return "only ASCII letters, digits, \"-\" and \"_\" are allowed";
            }
        }

        return null;
    }
}
