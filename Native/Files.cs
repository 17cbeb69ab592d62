using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>
/// The file calls that the framework does not have: no link is followed in the last part of a name, owners are numbers, folders
/// are opened, synced and used as the base of further names. All of it is thread-safe and answers an <see cref="Errno"/>.
/// </summary>
public static partial class Files
{
    public static FileOwner CurrentOwner => new(geteuid(), getegid());

    /// <summary>Looks at the name itself: a link is reported as a link.</summary>
    public static Errno TryStat(string path, out FileState state) => Stat(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, out state);

    /// <summary>Looks at what the name leads to.</summary>
    public static Errno TryStatTarget(string path, out FileState state) => Stat(AT_FDCWD, path, 0, out state);

    public static Errno TryStat(SafeFileHandle file, out FileState state)
    {
        using var use = new HandleUse(file);
        return Stat(use.Fd, string.Empty, AT_EMPTY_PATH, out state);
    }

    /// <summary>Opens for reading; a link is refused (ELOOP) and a pipe without a writer does not block.</summary>
    public static Errno TryOpenRead(string path, out SafeFileHandle? file) =>
        Open(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, out file);

    /// <summary>Opens for reading what the name leads to, through links; a pipe without a writer does not block.</summary>
    public static Errno TryOpenTarget(string path, out SafeFileHandle? file) =>
        Open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, out file);

    /// <summary>Makes a new file for writing; whatever is there already, a dangling link included, is EEXIST.</summary>
    public static Errno TryCreate(string path, int mode, out SafeFileHandle? file) =>
        Open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, (uint)mode, out file);

    /// <summary>Opens for writing behind the end, and makes the file when it is missing; a link is refused.</summary>
    public static Errno TryOpenAppend(string path, int mode, out SafeFileHandle? file) =>
        Open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, (uint)mode, out file);

    /// <summary>Opens a folder, following links: for the start of a path that the administrator wrote.</summary>
    public static Errno TryOpenFolder(string path, out SafeFileHandle? folder) =>
        Open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, out folder);

    /// <summary>Opens a folder inside another one; a link is refused (ENOTDIR or ELOOP).</summary>
    public static Errno TryOpenFolder(SafeFileHandle parent, string name, out SafeFileHandle? folder)
    {
        using var use = new HandleUse(parent);
        return Open(use.Fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, out folder);
    }

    /// <summary>Makes a folder inside another one; the process's umask applies.</summary>
    public static Errno TryMakeFolder(SafeFileHandle parent, string name, int mode)
    {
        using var use = new HandleUse(parent);
        return Result(mkdirat(use.Fd, name, (uint)mode));
    }

    public static Errno TryChown(SafeFileHandle file, FileOwner owner)
    {
        using var use = new HandleUse(file);
        return Result(fchown(use.Fd, owner.Uid, owner.Gid));
    }

    public static Errno TryChmod(SafeFileHandle file, int mode)
    {
        using var use = new HandleUse(file);
        return Result(fchmod(use.Fd, (uint)mode));
    }

    /// <summary>Waits until the file's content, or the folder's names, are on the disk.</summary>
    public static Errno TrySync(SafeFileHandle file)
    {
        using var use = new HandleUse(file);
        Errno error;
        do
        {
            error = Result(fsync(use.Fd));
        }
        while (error == Errno.EINTR);
        return error;
    }

    /// <summary><see cref="TrySync"/> of the folder that holds <paramref name="path"/>.</summary>
    public static Errno TrySyncParent(string path)
    {
        string parent = Path.GetDirectoryName(path) is { Length: > 0 } name ? name : ".";
        Errno error = TryOpenFolder(parent, out SafeFileHandle? folder);
        using (folder)
        {
            return error != Errno.None ? error : TrySync(folder!);
        }
    }

    /// <summary>Moves a file over another one, in one step.</summary>
    public static Errno TryRename(string from, string to) => Result(rename(from, to));

    /// <summary>A second name for a file; EEXIST when the name is taken. With unlink of the first: a rename that replaces nothing.</summary>
    public static Errno TryLink(string from, string to) => Result(link(from, to));

    public static Errno TryUnlink(string path) => Result(unlink(path));

    /// <summary>Writes all of it.</summary>
    public static Errno TryWrite(SafeFileHandle file, ReadOnlySpan<byte> data) => TryWrite(file, data, out _);

    /// <summary>Writes all of it, or says how much was written before the failure.</summary>
    public static unsafe Errno TryWrite(SafeFileHandle file, ReadOnlySpan<byte> data, out int written)
    {
        using var use = new HandleUse(file);
        written = 0;
        while (written < data.Length)
        {
            nint count;
            fixed (byte* start = data[written..])
            {
                count = write(use.Fd, start, (nuint)(data.Length - written));
            }

            if (count >= 0)
            {
                written += (int)count;
            }
            else if (LastError() is var error && error != Errno.EINTR)
            {
                return error;
            }
        }

        return Errno.None;
    }

    /// <summary>Reads from where the file stands until the buffer is full or the file ends.</summary>
    public static unsafe Errno TryRead(SafeFileHandle file, Span<byte> buffer, out int count)
    {
        using var use = new HandleUse(file);
        count = 0;
        while (count < buffer.Length)
        {
            nint got;
            fixed (byte* start = buffer[count..])
            {
                got = read(use.Fd, start, (nuint)(buffer.Length - count));
            }

            if (got == 0)
            {
                break;
            }

            if (got > 0)
            {
                count += (int)got;
            }
            else if (LastError() is var error && error != Errno.EINTR)
            {
                return error;
            }
        }

        return Errno.None;
    }

    private static Errno Open(int parent, string path, int flags, uint mode, out SafeFileHandle? file)
    {
        int fd;
        do
        {
            fd = openat(parent, path, flags | O_CLOEXEC, mode);
        }
        while (fd < 0 && LastError() == Errno.EINTR);
        file = fd < 0 ? null : new SafeFileHandle(fd, ownsHandle: true);
        return fd < 0 ? LastError() : Errno.None;
    }

    private const long NanosecondsPerSecond = 1_000_000_000;

    private static Errno Stat(int parent, string path, int flags, out FileState state)
    {
        state = default;
        if (statx(parent, path, flags, STATX_BASIC_STATS, out Statx raw) != 0)
        {
            return LastError();
        }

        FileKind kind = (raw.Mode & S_IFMT) switch
        {
            0x8000 => FileKind.Regular,
            0x4000 => FileKind.Folder,
            0xa000 => FileKind.Link,
            0xc000 => FileKind.Socket,
            _ => FileKind.Other,
        };
        state = new FileState(kind, new FileOwner(raw.Uid, raw.Gid), raw.Mode & 0xfff, (long)raw.Size)
        {
            Inode = raw.Inode,
            Modified = (raw.ModifiedSeconds * NanosecondsPerSecond) + raw.ModifiedNanoseconds,
            Changed = (raw.ChangedSeconds * NanosecondsPerSecond) + raw.ChangedNanoseconds,
        };
        return Errno.None;
    }

    private static Errno Result(int answer) => answer == 0 ? Errno.None : LastError();

    private static Errno LastError() => (Errno)Marshal.GetLastPInvokeError();

    /// <summary>Keeps a handle open while its number is in use.</summary>
    private readonly ref struct HandleUse
    {
        private readonly SafeFileHandle _handle;

        public HandleUse(SafeFileHandle handle)
        {
            bool added = false;
            handle.DangerousAddRef(ref added);
            _handle = handle;
        }

        public int Fd => (int)_handle.DangerousGetHandle();

        public void Dispose() => _handle.DangerousRelease();
    }

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

    private const int AT_FDCWD = -100;
    private const int AT_SYMLINK_NOFOLLOW = 0x100;
    private const int AT_EMPTY_PATH = 0x1000;
    private const uint STATX_BASIC_STATS = 0x7ff;
    private const int S_IFMT = 0xf000;

    private const int O_RDONLY = 0;
    private const int O_WRONLY = 1;
    private const int O_CREAT = 0x40;
    private const int O_EXCL = 0x80;
    private const int O_NOCTTY = 0x100;
    private const int O_APPEND = 0x400;
    private const int O_NONBLOCK = 0x800;
    private const int O_CLOEXEC = 0x80000;

    // The only two of these flags whose numbers differ between the architectures (asm/fcntl.h).
    private static readonly bool Arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly int O_DIRECTORY = Arm ? 0x4000 : 0x10000;
    private static readonly int O_NOFOLLOW = Arm ? 0x8000 : 0x20000;

    /// <summary>For the test that compares them with the headers.</summary>
    internal static IEnumerable<int> Flags =>
        [O_DIRECTORY, O_NOFOLLOW, O_APPEND, O_NONBLOCK, O_CLOEXEC, O_NOCTTY, O_CREAT, O_EXCL, AT_FDCWD, AT_SYMLINK_NOFOLLOW];

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int openat(int parent, string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int parent, string path, int flags, uint mask, out Statx state);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkdirat(int parent, string path, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rename(string from, string to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string from, string to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int unlink(string path);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchown(int fd, uint uid, uint gid);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchmod(int fd, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(int fd);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint read(int fd, byte* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint write(int fd, byte* buffer, nuint count);

    [LibraryImport("libc")]
    private static partial uint geteuid();

    [LibraryImport("libc")]
    private static partial uint getegid();

    /// <summary>struct statx of linux/stat.h: the same on every architecture, unlike struct stat.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    internal struct Statx
    {
        [FieldOffset(20)]
        public uint Uid;

        [FieldOffset(24)]
        public uint Gid;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(40)]
        public ulong Size;

        [FieldOffset(96)]
        public long ChangedSeconds;

        [FieldOffset(104)]
        public uint ChangedNanoseconds;

        [FieldOffset(112)]
        public long ModifiedSeconds;

        [FieldOffset(120)]
        public uint ModifiedNanoseconds;
    }
}

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
