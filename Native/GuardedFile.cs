using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>The outcome of an operation on a guarded file.</summary>
public enum GuardStatus
{
    Ok,

    /// <summary>Reading, deleting, replacing: the file does not exist.</summary>
    Absent,

    /// <summary>Creating: the name is taken.</summary>
    Exists,

    /// <summary>Reading: the name is a link, a folder, a pipe…</summary>
    NotRegular,

    WrongOwner,
    WrongMode,
    TooLarge,

    /// <summary>A system call failed; <see cref="GuardResult.Message"/> has the operation and the cause.</summary>
    Failed,
}

/// <param name="Message">Empty after success, otherwise cause and remedy: <c>mode is 644 (chmod 600 PATH)</c>.</param>
public readonly record struct GuardResult(GuardStatus Status, string Message = "", Errno Error = Errno.None)
{
    public bool IsOk => Status == GuardStatus.Ok;
}

/// <summary>
/// Files that hold secrets or rules (clients, sets): mode 600, one owner, never a link. Writes are atomic and durable: whatever fails, the
/// disk has the old or the new content. Thread-safe; of two writers of one name, each leaves a whole file.
/// </summary>
public static class GuardedFile
{
    /// <summary>Permission bits of every guarded file.</summary>
    public const int Mode = 0x180; // 0600

    private const string TemporarySuffix = ".tmp";
    private const int RandomDigits = 16;

    /// <summary>Reads a file of at most <paramref name="maxBytes"/>. With <paramref name="owner"/> null, owner and mode are not checked.</summary>
    public static GuardResult Read(string path, int maxBytes, FileOwner? owner, out byte[] content)
    {
        content = [];
        GuardResult open = Open(path, owner, out SafeFileHandle? file);
        using (file)
        {
            long size = 0;
            GuardResult check = open.IsOk ? Check(file!, path, maxBytes, owner, out size) : open;
            return check.IsOk ? ReadAll(file!, path, maxBytes, size, out content) : check;
        }
    }

    /// <summary>Reads into the caller's buffer, which can be reused for many files.</summary>
    /// <param name="buffer">One byte longer than the longest accepted file.</param>
    public static GuardResult Read(string path, FileOwner? owner, Span<byte> buffer, out int length)
    {
        length = 0;
        int maxBytes = buffer.Length - 1;
        GuardResult open = Open(path, owner, out SafeFileHandle? file);
        using (file)
        {
            GuardResult check = open.IsOk ? Check(file!, path, maxBytes, owner, out _) : open;
            if (!check.IsOk)
            {
                return check;
            }

            Errno error = Files.TryRead(file!, buffer, out length);
            return error != Errno.None ? Failed("read", path, error)
                : length > maxBytes ? new(GuardStatus.TooLarge, $"more than {maxBytes} bytes")
                : default;
        }
    }

    /// <summary>Creates a file; <see cref="GuardStatus.Exists"/> when the name is taken, also by a concurrent creation.</summary>
    public static GuardResult Create(string path, ReadOnlySpan<byte> content, FileOwner owner) => Write(path, content, owner, create: true);

    /// <summary>Replaces a file's content atomically; <see cref="GuardStatus.Absent"/> when the file does not exist.</summary>
    public static GuardResult Replace(string path, ReadOnlySpan<byte> content, FileOwner owner) =>
        Files.TryStat(path, out _) == Errno.ENOENT
            ? new(GuardStatus.Absent, "no such file", Errno.ENOENT)
            : Write(path, content, owner, create: false);

    /// <summary>Removes a file durably: the folder is synced before this returns.</summary>
    public static GuardResult Delete(string path)
    {
        Errno error = Files.TryUnlink(path);
        if (error != Errno.None)
        {
            return error == Errno.ENOENT ? new(GuardStatus.Absent, "no such file", error) : Failed("delete", path, error);
        }

        error = Files.TrySyncParent(path);
        return error == Errno.None ? default : Failed("sync the folder of", path, error);
    }

    /// <summary>
    /// Removes the temporary files of interrupted writes from a folder. For the start, when no other process writes there. Files that
    /// cannot be removed are harmless: no code reads them.
    /// </summary>
    public static void RemoveLeftovers(string folder)
    {
        try
        {
            foreach (string path in Directory.EnumerateFiles(folder).Where(path => IsTemporary(Path.GetFileName(path))))
            {
                _ = Files.TryUnlink(path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The code that needs the folder's content reports the cause.
        }
    }

    /// <summary>Whether a name is that of a temporary file of <see cref="Write"/>.</summary>
    private static bool IsTemporary(ReadOnlySpan<char> name) =>
        name.StartsWith('.') && name.EndsWith(TemporarySuffix, StringComparison.Ordinal)
        && name[..^TemporarySuffix.Length] is var start && start.LastIndexOf('.') == start.Length - RandomDigits - 1
        && start[^RandomDigits..].IndexOfAnyExceptInRange('0', 'f') < 0;

    /// <summary>Checks kind, owner and mode of the name itself.</summary>
    internal static GuardResult CheckName(string path, FileOwner owner)
    {
        Errno error = Files.TryStat(path, out FileState state);
        return error == Errno.ENOENT ? new(GuardStatus.Absent, "no such file", error)
            : error != Errno.None ? Failed("look at", path, error)
            : state.Kind != FileKind.Regular ? new(GuardStatus.NotRegular, "is not a regular file")
            : Judge(state, path, owner);
    }

    /// <summary>Checks an open file.</summary>
    internal static GuardResult CheckOpen(SafeFileHandle file, string path, FileOwner owner) => Check(file, path, int.MaxValue, owner, out _);

    private static GuardResult Open(string path, FileOwner? owner, out SafeFileHandle? file)
    {
        // Opening a device can have side effects (a watchdog starts to count), so the name is checked first.
        file = null;
        if (Files.TryStat(path, out FileState named) == Errno.None && named.Kind is not (FileKind.Regular or FileKind.Link))
        {
            return new(GuardStatus.NotRegular, "is not a regular file");
        }

        Errno error = Files.TryOpenRead(path, out file);
        return error switch
        {
            Errno.None => default,
            Errno.ENOENT => new(GuardStatus.Absent, "no such file", error),
            Errno.ELOOP => new(GuardStatus.NotRegular, "is a symbolic link (put the file itself there)", error),
            Errno.EACCES when Files.TryStat(path, out FileState state) == Errno.None && !Judge(state, path, owner).IsOk => Judge(state, path, owner),
            _ => Failed("read", path, error),
        };
    }

    private static GuardResult Check(SafeFileHandle file, string path, int maxBytes, FileOwner? owner, out long size)
    {
        Errno error = Files.TryStat(file, out FileState state);
        size = state.Size;
        if (error != Errno.None)
        {
            return Failed("look at", path, error);
        }

        if (state.Kind != FileKind.Regular)
        {
            return new(GuardStatus.NotRegular, "is not a regular file");
        }

        GuardResult judgement = Judge(state, path, owner);
        return judgement.IsOk && size > maxBytes ? new(GuardStatus.TooLarge, $"{size} bytes (at most {maxBytes})") : judgement;
    }

    /// <summary>Checks owner and mode, which explain why a file cannot be opened.</summary>
    private static GuardResult Judge(in FileState state, string path, FileOwner? owner)
    {
        if (owner is { } wanted && state.Owner != wanted)
        {
            return new(GuardStatus.WrongOwner, $"owner is {state.Owner.Uid}:{state.Owner.Gid} (chown {wanted.Uid}:{wanted.Gid} \"{path}\")");
        }

        return owner is not null && state.Mode != Mode
            ? new(GuardStatus.WrongMode, $"mode is {FileState.ModeText(state.Mode)} (chmod 600 \"{path}\")")
            : default;
    }

    private static GuardResult ReadAll(SafeFileHandle file, string path, int maxBytes, long size, out byte[] content)
    {
        // One byte more than the file's size: a file that has grown since then is not cut off.
        byte[] buffer = new byte[size + 1];
        int length = 0;
        while (true)
        {
            Errno error = Files.TryRead(file, buffer.AsSpan(length), out int count);
            length += count;
            if (error != Errno.None)
            {
                content = [];
                return Failed("read", path, error);
            }

            if (length < buffer.Length)
            {
                Array.Resize(ref buffer, length);
                content = buffer;
                return default;
            }

            if (length > maxBytes)
            {
                content = [];
                return new(GuardStatus.TooLarge, $"more than {maxBytes} bytes");
            }

            Array.Resize(ref buffer, Math.Min(buffer.Length * 2, maxBytes + 1));
        }
    }

    private static GuardResult Write(string path, ReadOnlySpan<byte> content, FileOwner owner, bool create)
    {
        string random = RandomNumberGenerator.GetHexString(RandomDigits, lowercase: true);
        string temporary = Path.Combine(Path.GetDirectoryName(path) ?? ".", $".{Path.GetFileName(path)}.{random}{TemporarySuffix}");
        Errno error = WriteTemporary(temporary, content, owner);
        if (error == Errno.None)
        {
            // link() refuses a name that is taken, rename() replaces it: both in one step.
            error = create ? Files.TryLink(temporary, path) : Files.TryRename(temporary, path);
        }

        if (create || error != Errno.None)
        {
            _ = Files.TryUnlink(temporary); // RemoveLeftovers deletes it otherwise
        }

        if (error != Errno.None)
        {
            return create && error == Errno.EEXIST ? new(GuardStatus.Exists, "a file of that name is there already", error) : Failed("write", path, error);
        }

        error = Files.TrySyncParent(path);
        if (error == Errno.None)
        {
            return default;
        }

        if (create)
        {
            _ = Files.TryUnlink(path); // a file that may not survive a crash must not be visible
        }

        return Failed("sync the folder of", path, error);
    }

    private static Errno WriteTemporary(string path, ReadOnlySpan<byte> content, FileOwner owner)
    {
        Errno error = Files.TryCreate(path, Mode, out SafeFileHandle? file);
        if (error != Errno.None)
        {
            return error;
        }

        using (file)
        {
            error = Files.TryStat(file!, out FileState state);
            if (error == Errno.None && state.Owner != owner)
            {
                error = Files.TryChown(file!, owner);
            }

            // The umask may have removed bits; chown clears none of 600.
            error = error == Errno.None ? Files.TryChmod(file!, Mode) : error;
            error = error == Errno.None ? Files.TryWrite(file!, content) : error;
            return error == Errno.None ? Files.TrySync(file!) : error;
        }
    }

    private static GuardResult Failed(string action, string path, Errno error) =>
        new(GuardStatus.Failed, $"{action} \"{path}\": {error.Text()}", error);
}
