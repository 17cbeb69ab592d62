using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

#pragma warning disable IDE1006, SA1300 // native spelling for native names

/// <summary>What the start of the daemon needs: sockets that are private from their first moment, and claims.</summary>
public static partial class Files
{
    private const int LOCK_EX = 2;
    private const int LOCK_NB = 4;

    /// <summary>Changes the owner of the name itself, be it a socket, which cannot be opened, or a link.</summary>
    public static Errno TryChownName(string path, FileOwner owner) => Result(lchown(path, owner.Uid, owner.Gid));

    /// <summary>Runs with a umask, which is the whole process's: only while no other thread makes files.</summary>
    public static void WithUmask(uint mask, Action action)
    {
        uint before = umask(mask);
        try
        {
            action();
        }
        finally
        {
            _ = umask(before);
        }
    }

    /// <summary>Opens a file for its lock, or makes it; for reading, as one open for writing keeps its file system from being remounted read-only.</summary>
    public static Errno TryOpenClaim(string path, bool create, int mode, out SafeFileHandle? file) =>
        Open(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | (create ? O_CREAT | O_EXCL : 0), (uint)mode, out file);

    /// <summary>Claims a file for this process and whom it hands the descriptor to (flock(2)); EAGAIN when it is claimed.</summary>
    public static Errno TryLock(SafeFileHandle file)
    {
        using var use = new HandleUse(file);
        return Result(flock(use.Fd, LOCK_EX | LOCK_NB));
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int lchown(string path, uint uid, uint gid);

    [LibraryImport("libc")]
    private static partial uint umask(uint mask);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int flock(int fd, int operation);
}
