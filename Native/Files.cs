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
}
