using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>
/// File calls that the framework lacks: links are not followed in the last part of a name, owners are numbers, folders are opened,
/// synced and used as the base of other names. All calls are thread-safe and return an <see cref="Errno"/>.
/// </summary>
public static partial class Files
{
    public static FileOwner CurrentOwner => new(geteuid(), getegid());

    /// <summary>The state of the name itself: a link is reported as a link.</summary>
    public static Errno TryStat(string path, out FileState state) =>
        Stat(statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, out Statx raw), raw, out state);

    /// <summary>The state of the link's target.</summary>
    public static Errno TryStatTarget(string path, out FileState state) =>
        Stat(statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, out Statx raw), raw, out state);

    public static Errno TryStat(SafeFileHandle file, out FileState state) =>
        Stat(statx(file, string.Empty, AT_EMPTY_PATH, STATX_BASIC_STATS, out Statx raw), raw, out state);

    /// <summary>Opens for reading; a link is refused (ELOOP) and a pipe without a writer does not block.</summary>
    public static Errno TryOpenRead(string path, out SafeFileHandle? file) =>
        Open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, out file);

    /// <summary>Opens for reading, following links; a pipe without a writer does not block.</summary>
    public static Errno TryOpenTarget(string path, out SafeFileHandle? file) =>
        Open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, out file);

    /// <summary>Creates a file for writing; EEXIST when the name is taken, also by a dangling link.</summary>
    public static Errno TryCreate(string path, int mode, out SafeFileHandle? file) =>
        Open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, (uint)mode, out file);

    /// <summary>Opens for appending, and creates the file when it is missing; a link is refused.</summary>
    public static Errno TryOpenAppend(string path, int mode, out SafeFileHandle? file) =>
        Open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, (uint)mode, out file);

    /// <summary>Creates a file for appending; EEXIST when the name is taken, also by a dangling link.</summary>
    public static Errno TryCreateAppend(string path, int mode, out SafeFileHandle? file) =>
        Open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, (uint)mode, out file);

    /// <summary>Opens a folder, following links: for the start of a path that the administrator wrote.</summary>
    public static Errno TryOpenFolder(string path, out SafeFileHandle? folder) =>
        Open(path, O_RDONLY | O_DIRECTORY, 0, out folder);

    /// <summary>Opens a folder inside another one; a link is refused (ENOTDIR or ELOOP).</summary>
    public static Errno TryOpenFolder(SafeFileHandle parent, string name, out SafeFileHandle? folder)
    {
        folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
        return folder.IsInvalid ? Libc.LastError : Errno.None;
    }

    /// <summary>Creates a folder inside another one; the process's umask applies.</summary>
    public static Errno TryMakeFolder(SafeFileHandle parent, string name, int mode) => Result(mkdirat(parent, name, (uint)mode));

    public static Errno TryChown(SafeFileHandle file, FileOwner owner) => Result(fchown(file, owner.Uid, owner.Gid));

    public static Errno TryChmod(SafeFileHandle file, int mode) => Result(fchmod(file, (uint)mode));

    /// <summary>Waits until the file's content, or the folder's names, are on the disk.</summary>
    public static Errno TrySync(SafeFileHandle file)
    {
        Errno error;
        do
        {
            error = Result(fsync(file));
        }
        while (error == Errno.EINTR);
        return error;
    }

    /// <summary>As <see cref="TrySync"/>, without attributes that reading the content does not need.</summary>
    public static Errno TrySyncData(SafeFileHandle file)
    {
        Errno error;
        do
        {
            error = Result(fdatasync(file));
        }
        while (error == Errno.EINTR);
        return error;
    }

    public static Errno TryTruncate(SafeFileHandle file, long length) => Result(ftruncate(file, length));

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

    /// <summary>Replaces a file by another one atomically.</summary>
    public static Errno TryRename(string from, string to) => Result(rename(from, to));

    /// <summary>A second name for a file; EEXIST when the name is taken. Followed by unlink of the first, it is a rename that replaces nothing.</summary>
    public static Errno TryLink(string from, string to) => Result(link(from, to));

    /// <summary>Removes a name of a folder.</summary>
    public static Errno TryUnlink(SafeFileHandle folder, string name) => Result(unlinkat(folder, name, 0));

    /// <summary>Makes a folder the current one of this process.</summary>
    public static Errno TryEnter(SafeFileHandle folder) => Result(fchdir(folder));

    /// <summary>Whether a folder is on a BPF file system.</summary>
    public static unsafe bool IsBpf(SafeFileHandle folder)
    {
        const long BPF_FS_MAGIC = 0xcafe4a11;
        long* state = stackalloc long[32]; // struct statfs has 120 bytes; f_type is the first field
        return fstatfs(folder, state) == 0 && state[0] == BPF_FS_MAGIC;
    }

    public static Errno TryUnlink(string path) => Result(unlink(path));

    public static Errno TryWrite(SafeFileHandle file, ReadOnlySpan<byte> data) => TryWrite(file, data, out _);

    /// <summary>Writes all of it, or returns how much was written before the failure.</summary>
    public static unsafe Errno TryWrite(SafeFileHandle file, ReadOnlySpan<byte> data, out int written)
    {
        written = 0;
        while (written < data.Length)
        {
            nint count;
            fixed (byte* start = data[written..])
            {
                count = write(file, start, (nuint)(data.Length - written));
            }

            if (count >= 0)
            {
                written += (int)count;
            }
            else if (Libc.LastError is var error && error != Errno.EINTR)
            {
                return error;
            }
        }

        return Errno.None;
    }

    /// <summary>Reads from the file's position until the buffer is full or the file ends.</summary>
    public static unsafe Errno TryRead(SafeFileHandle file, Span<byte> buffer, out int count)
    {
        count = 0;
        while (count < buffer.Length)
        {
            nint got;
            fixed (byte* start = buffer[count..])
            {
                got = read(file, start, (nuint)(buffer.Length - count));
            }

            if (got == 0)
            {
                break;
            }

            if (got > 0)
            {
                count += (int)got;
            }
            else if (Libc.LastError is var error && error != Errno.EINTR)
            {
                return error;
            }
        }

        return Errno.None;
    }

    private static Errno Open(string path, int flags, uint mode, out SafeFileHandle? file)
    {
        int fd;
        do
        {
            fd = openat(AT_FDCWD, path, flags | O_CLOEXEC, mode);
        }
        while (fd < 0 && Libc.LastError == Errno.EINTR);
        file = fd < 0 ? null : new SafeFileHandle(fd, ownsHandle: true);
        return fd < 0 ? Libc.LastError : Errno.None;
    }

    private const long NanosecondsPerSecond = 1_000_000_000;

    private static Errno Stat(int result, in Statx raw, out FileState state)
    {
        state = default;
        if (result != 0)
        {
            return Libc.LastError;
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

    private static Errno Result(int answer) => answer == 0 ? Errno.None : Libc.LastError;

    private const int LOCK_EX = 2;
    private const int LOCK_NB = 4;

    /// <summary>Changes the owner of the name itself, such as a socket, which cannot be opened, or a link.</summary>
    public static Errno TryChownName(string path, FileOwner owner) => Result(lchown(path, owner.Uid, owner.Gid));

    /// <summary>Runs an action with another umask. It applies to the whole process, so no other thread may create files at that time.</summary>
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

    /// <summary>Opens or creates a lock file. Read-only, because a file open for writing prevents a read-only remount of its file system.</summary>
    public static Errno TryOpenClaim(string path, bool create, int mode, out SafeFileHandle? file) =>
        Open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | (create ? O_CREAT | O_EXCL : 0), (uint)mode, out file);

    /// <summary>Locks a file for this process and those that inherit the descriptor (flock(2)); EAGAIN when it is locked.</summary>
    public static Errno TryLock(SafeFileHandle file) => Result(flock(file, LOCK_EX | LOCK_NB));

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int lchown(string path, uint uid, uint gid);

    [LibraryImport("libc")]
    private static partial uint umask(uint mask);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int flock(SafeFileHandle file, int operation);

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

    // The values of these two flags differ between the architectures (asm/fcntl.h).
    private static readonly bool Arm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly int O_DIRECTORY = Arm ? 0x4000 : 0x10000;
    private static readonly int O_NOFOLLOW = Arm ? 0x8000 : 0x20000;

    /// <summary>For the test that compares them with the headers.</summary>
    internal static IEnumerable<int> Flags =>
        [O_DIRECTORY, O_NOFOLLOW, O_APPEND, O_NONBLOCK, O_CLOEXEC, O_NOCTTY, O_CREAT, O_EXCL, AT_FDCWD, AT_SYMLINK_NOFOLLOW];

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int openat(int parent, string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle openat(SafeFileHandle parent, string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int parent, string path, int flags, uint mask, out Statx state);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(SafeFileHandle file, string path, int flags, uint mask, out Statx state);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int mkdirat(SafeFileHandle parent, string path, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rename(string from, string to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string from, string to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int unlink(string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int unlinkat(SafeFileHandle folder, string name, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchdir(SafeFileHandle folder);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int fstatfs(SafeFileHandle file, long* state);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchown(SafeFileHandle file, uint uid, uint gid);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchmod(SafeFileHandle file, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(SafeFileHandle file);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fdatasync(SafeFileHandle file);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ftruncate(SafeFileHandle file, long length);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint read(SafeFileHandle file, byte* buffer, nuint count);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial nint write(SafeFileHandle file, byte* buffer, nuint count);

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

/// <summary>The owner of a file, by number.</summary>
public readonly record struct FileOwner(uint Uid, uint Gid)
{
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

/// <summary>The kernel's attributes of a file.</summary>
/// <param name="Mode">The permission bits, including set-id and sticky bits (07777).</param>
/// <param name="Size">Bytes.</param>
public readonly record struct FileState(FileKind Kind, FileOwner Owner, int Mode, long Size)
{
    /// <summary>The file's number in its file system: the same name with another number is another file.</summary>
    public ulong Inode { get; init; }

    /// <summary>Time of the last change of the content, in nanoseconds since 1970.</summary>
    public long Modified { get; init; }

    /// <summary>Time of the last change of content or attributes, in nanoseconds since 1970; no call can set it back.</summary>
    public long Changed { get; init; }

    /// <summary>Three or four octal digits, as in <c>chmod</c>.</summary>
    public static string ModeText(int mode) => Convert.ToString(mode, 8).PadLeft(3, '0');
}
