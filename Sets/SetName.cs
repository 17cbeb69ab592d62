using Couic.Store;

namespace Couic.Sets;

/// <summary>Which names sets have. They become file names, so nothing but these bytes may pass.</summary>
public static class SetName
{
    /// <summary>Bytes; as in couic 1.x.</summary>
    public const int MaxBytes = 48;

    public static bool IsGood(ReadOnlySpan<char> name)
    {
        foreach (char c in name)
        {
            if (c > 127 || !TagRule.IsNameByte((byte)c))
            {
                return false;
            }
        }

        return name.Length is > 0 and <= MaxBytes;
    }

    /// <summary>The set of a file's name (<c>NAME.couic</c>); false for a file that is no set.</summary>
    public static bool TryFromFile(string fileName, out string name)
    {
        bool isSet = fileName.EndsWith(SetFile.Suffix, StringComparison.Ordinal);
        name = isSet ? fileName[..^SetFile.Suffix.Length] : string.Empty;
        return isSet && IsGood(name);
    }
}
