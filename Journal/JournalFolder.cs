using System.Globalization;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Journal;

/// <summary>The places of a journal. Tests have disks that are full, or fail.</summary>
internal interface IJournalPlace
{
    /// <summary>Opens the journal. A fault is one line; without a fault, a null stream means that no journal exists.</summary>
    Stream? Open(out string? fault);

    /// <summary>Starts a file that replaces the journal once it is published.</summary>
    Errno TryCreate(out IJournalOutput? output, out string fault);

    /// <summary>Puts the file in the journal's place, durably.</summary>
    Errno TryPublish(IJournalOutput output);

    /// <summary>Removes a file that was not published.</summary>
    void Discard(IJournalOutput output);

    /// <summary>Whether a published file is still in its place.</summary>
    bool IsInPlace(IJournalOutput output);

    /// <summary>Keeps the present journal under another name, and the few latest of these. Returns its name; null when that failed.</summary>
    string? SetAside(DateTimeOffset now);
}

/// <summary>A file that only grows.</summary>
internal interface IJournalOutput : IDisposable
{
    Errno TryAppend(ReadOnlySpan<byte> data);

    Errno TrySync();

    Errno TryTruncate(long length);
}

/// <summary>The journal's folder under <c>working_dir</c>, which only the daemon's user may write to.</summary>
internal sealed class JournalFolder(string folder, FileOwner owner) : IJournalPlace
{
    public const string FileName = "rules.journal";

    /// <summary>Damaged journals that are kept.</summary>
    private const int MaxAside = 3;

    private const int GroupOrOthersWrite = 0x12;
    private readonly string _path = Path.Combine(folder, FileName);
    private readonly string _temporary = Path.Combine(folder, FileName + ".tmp");

    public string JournalPath => _path;

    public Stream? Open(out string? fault)
    {
        fault = CheckFolder();
        if (fault is not null)
        {
            return null;
        }

        GuardResult result = GuardedFile.CheckName(_path, owner);
        if (!result.IsOk)
        {
            fault = result.Status == GuardStatus.Absent ? null : result.Message;
            return null;
        }

        Errno error = Files.TryOpenRead(_path, out SafeFileHandle? file);
        if (error != Errno.None)
        {
            fault = error.Text();
            return null;
        }

        result = GuardedFile.CheckOpen(file!, _path, owner);
        fault = result.IsOk ? null : result.Message;
        if (fault is not null)
        {
            file!.Dispose();
            return null;
        }

        return new FileStream(file!, FileAccess.Read, bufferSize: 0);
    }

    public Errno TryCreate(out IJournalOutput? output, out string fault)
    {
        output = null;
        fault = CheckFolder() ?? string.Empty;
        if (fault.Length > 0)
        {
            return Errno.EACCES;
        }

        _ = Files.TryUnlink(_temporary);
        Errno error = Files.TryCreateAppend(_temporary, GuardedFile.Mode, out SafeFileHandle? file);
        if (error == Errno.None && (error = Files.TryChmod(file!, GuardedFile.Mode)) == Errno.None && (error = Files.TryStat(file!, out FileState state)) == Errno.None)
        {
            output = new Output(file!, state.Inode);
        }
        else
        {
            file?.Dispose();
            fault = $"create \"{_temporary}\": {error.Text()}";
        }

        return error;
    }

    public Errno TryPublish(IJournalOutput output)
    {
        Errno error = Files.TryRename(_temporary, _path);
        return error == Errno.None ? Files.TrySyncParent(_path) : error;
    }

    public void Discard(IJournalOutput output)
    {
        output.Dispose();
        _ = Files.TryUnlink(_temporary);
    }

    public bool IsInPlace(IJournalOutput output) =>
        Files.TryStat(_path, out FileState state) == Errno.None && state.Inode == ((Output)output).Inode;

    public string? SetAside(DateTimeOffset now)
    {
        string[] aside = Aside();
        foreach (string old in aside.Take(aside.Length - MaxAside + 1))
        {
            _ = Files.TryUnlink(old);
        }

        string name = string.Create(CultureInfo.InvariantCulture, $"{_path}.{now:yyyyMMdd'T'HHmmssfff'Z'}.bad");

        // A second name: the journal stays until its successor replaces it. What cannot have one, such as another user's file, is moved.
        Errno error = Files.TryLink(_path, name);
        error = error is Errno.None or Errno.ENOENT ? error : Files.TryRename(_path, name);
        return error == Errno.None ? name : null;
    }

    /// <summary>Journals that were set aside, the oldest first.</summary>
    private string[] Aside()
    {
        try
        {
            return [.. Directory.EnumerateFileSystemEntries(folder, FileName + ".*.bad").Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private string? CheckFolder()
    {
        Errno error = Files.TryStat(folder, out FileState state);
        return error == Errno.ENOENT ? $"folder \"{folder}\": {error.Text()} (mkdir -m 755 it for the daemon's user)"
            : error != Errno.None ? $"folder \"{folder}\": {error.Text()}"
            : state.Kind != FileKind.Folder ? $"folder \"{folder}\" is not a folder (a link does not count)"
            : state.Owner.Uid != owner.Uid ? $"folder \"{folder}\": owner is {state.Owner.Uid}:{state.Owner.Gid} (chown {owner.Uid}:{owner.Gid} \"{folder}\")"
            : (state.Mode & GroupOrOthersWrite) != 0 ? $"folder \"{folder}\": mode is {FileState.ModeText(state.Mode)} (chmod 755 \"{folder}\")"
            : null;
    }

    private sealed class Output(SafeFileHandle file, ulong inode) : IJournalOutput
    {
        public ulong Inode => inode;

        public Errno TryAppend(ReadOnlySpan<byte> data) => Files.TryWrite(file, data);

        public Errno TrySync() => Files.TrySyncData(file);

        public Errno TryTruncate(long length) => Files.TryTruncate(file, length);

        public void Dispose() => file.Dispose();
    }
}
