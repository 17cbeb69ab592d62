namespace Couic.Sets;

/// <summary>How much the set files of one policy may be. What is beyond is neither written nor read, whoever put it there.</summary>
/// <param name="MaxFileBytes">Bytes of one file. Default: 262,144 IPv6 hosts, 48 bytes each with room for comments.</param>
/// <param name="MaxFiles">Files of a policy.</param>
public sealed record SetLimits(int MaxFileBytes = 262_144 * SetLimits.BytesPerEntry, int MaxFiles = 4_096)
{
    /// <summary>The longest line of an IPv6 network has 44 bytes with its end.</summary>
    public const int BytesPerEntry = 48;

    public static readonly SetLimits Default = new();

    /// <summary>Bytes of all files of a policy: what a reload reads, and what a client can take of the disk.</summary>
    public long MaxTotalBytes => 4L * MaxFileBytes;
}
