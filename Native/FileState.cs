namespace Couic.Native;

/// <summary>Who owns a file: numbers, as the kernel compares them.</summary>
public readonly record struct FileOwner(uint Uid, uint Gid)
{
    /// <summary>The effective user and group of this process.</summary>
    public static FileOwner Current => Files.CurrentOwner;
}

public enum FileKind
{
    Other,
    Regular,
    Folder,
    Link,
    Socket,
}

/// <summary>What the kernel says about a file.</summary>
/// <param name="Mode">The permission bits, set-id and sticky bits included (07777).</param>
/// <param name="Size">Bytes.</param>
public readonly record struct FileState(FileKind Kind, FileOwner Owner, int Mode, long Size)
{
    /// <summary>Number of the file in its file system: the same name with another number is another file.</summary>
    public ulong Inode { get; init; }

    /// <summary>When the content last changed, in nanoseconds since 1970.</summary>
    public long Modified { get; init; }

    /// <summary>When anything about it last changed, in nanoseconds since 1970; nobody can set it back.</summary>
    public long Changed { get; init; }

    /// <summary>Three or four octal digits, as in <c>chmod</c>.</summary>
    public static string ModeText(int mode) => Convert.ToString(mode, 8).PadLeft(3, '0');
}
