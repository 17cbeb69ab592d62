using System.Globalization;
using Couic.Bpf;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>
/// The folder of <c>[daemon] pin</c> on a BPF file system. The links of attached interfaces have names there, so that they outlive every
/// process. One daemon at a time has it: the lock ends with the attacher.
/// </summary>
internal sealed class PinFolder(SafeFileHandle folder) : IDisposable
{
    private const int OwnerOnly = 0b111_000_000, Others = 0b000_010_010;

    /// <summary>How long the attacher of a daemon that has just ended may keep the lock.</summary>
    private static readonly TimeSpan LockLimit = TimeSpan.FromSeconds(5);

    /// <summary>The folder's descriptor.</summary>
    public SafeFileHandle Handle => folder;

    /// <summary>Opens the folder for a daemon, creates it if it is missing, and locks it.</summary>
    /// <param name="owner">The user that adds and removes names.</param>
    /// <exception cref="StartException">It cannot be used, or another daemon has it.</exception>
    public static PinFolder Claim(string path, FileOwner owner)
    {
        SafeFileHandle folder = Open(path, create: true) ?? throw Unusable(path, Errno.ENOENT.Text());
        Errno error = Files.TryStat(folder, out FileState state);
        if (error == Errno.None && state.Owner.Uid != FileOwner.Current.Uid && state.Owner.Uid != owner.Uid)
        {
            throw Unusable(path, $"it belongs to user {state.Owner.Uid} (remove it, or choose another folder)");
        }

        error = error == Errno.None ? Files.TryChmod(folder, OwnerOnly) : error;
        error = error == Errno.None && state.Owner != owner ? Files.TryChown(folder, owner) : error;
        if (error != Errno.None)
        {
            throw Unusable(path, error.Text());
        }

        Lock(path, folder, LockLimit);
        return new PinFolder(folder);
    }

    /// <summary>Opens the folder to remove what a dead daemon has left; null when there is none.</summary>
    /// <exception cref="StartException">It is not a folder of a BPF file system, or a daemon has it.</exception>
    public static PinFolder? ClaimExisting(string path)
    {
        if (Open(path, create: false) is not { } folder)
        {
            return null;
        }

        Lock(path, folder, TimeSpan.Zero);
        return new PinFolder(folder);
    }

    /// <summary>The pinned links with their names and interfaces; names of dead links are removed.</summary>
    /// <exception cref="StartException">Something in the folder is not ours.</exception>
    public List<(FileDescriptor Link, LinkName Name)> Links(string path)
    {
        var links = new List<(FileDescriptor, LinkName)>();
        foreach (string file in Directory.GetFileSystemEntries(path))
        {
            string name = Path.GetFileName(file);
            FileDescriptor? link = null;
            Errno error = IsName(name, out uint id) ? BpfSyscall.OpenPinned(file, out link) : Errno.EINVAL;
            LinkDescription info = default;
            error = error == Errno.None ? BpfSyscall.LinkInfo(link!, out info) : error;
            if (error != Errno.None || info.Id != id || LinkOwners.ProgramOf(info) is { } program && !XdpPrograms.IsOurs(program))
            {
                link?.Dispose();
                throw Unusable(path, $"\"{name}\" is not a link of couic{(error is Errno.None or Errno.EINVAL ? "" : $": {error.Text()}")} (choose a folder that only couic uses)");
            }

            if (info.Interface == 0)
            {
                link!.Dispose();
                Remove(id);
                continue;
            }

            _ = Files.TryStat(file, out FileState state);
            links.Add((link!, new LinkName(id, state.Modified / 1_000_000_000)));
        }

        return links;
    }

    /// <summary>Makes the folder the current one of this process: the attacher may not enter the folders above it.</summary>
    public void Enter() => _ = Files.TryEnter(folder);

    /// <summary>Gives a link its name, below the current folder.</summary>
    public static Errno Add(FileDescriptor link)
    {
        Errno error = BpfSyscall.LinkInfo(link, out LinkDescription info);
        error = error == Errno.None ? BpfSyscall.Pin(link, NameOf(info.Id)) : error;
        return error == Errno.EEXIST ? Errno.None : error;
    }

    public void Remove(uint id) => _ = Files.TryUnlink(folder, NameOf(id));

    public void Dispose() => folder.Dispose();

    private static string NameOf(uint id) => string.Create(CultureInfo.InvariantCulture, $"{LinkName.Prefix}{id}");

    /// <summary>Whether a name in the folder is one that <see cref="Add"/> gives.</summary>
    internal static bool IsName(string name, out uint id)
    {
        id = 0;
        return name.StartsWith(LinkName.Prefix, StringComparison.Ordinal)
            && uint.TryParse(name.AsSpan(LinkName.Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out id)
            && name == NameOf(id);
    }

    private static SafeFileHandle? Open(string path, bool create)
    {
        string parent = Path.GetDirectoryName(path) is { Length: > 0 } above ? above : "/";
        Errno error = Files.TryOpenFolder(parent, out SafeFileHandle? outer);
        if (error != Errno.None)
        {
            throw Unusable(path, $"\"{parent}\": {error.Text()}");
        }

        using (outer)
        {
            if (!Files.IsBpf(outer!))
            {
                throw Unusable(path, $"\"{parent}\" is not on a BPF file system (mount -t bpf bpf /sys/fs/bpf)");
            }

            string name = Path.GetFileName(path);
            error = Files.TryOpenFolder(outer!, name, out SafeFileHandle? folder);
            if (error == Errno.ENOENT && create)
            {
                error = Files.TryMakeFolder(outer!, name, OwnerOnly);
                error = error is Errno.None or Errno.EEXIST ? Files.TryOpenFolder(outer!, name, out folder) : error;
            }

            if (error == Errno.ENOENT && !create)
            {
                return null;
            }

            FileState state = default;
            error = error == Errno.None ? Files.TryStat(folder!, out state) : error;
            if (error == Errno.None && (state.Mode & Others) != 0)
            {
                throw Unusable(path, $"others may write to it: mode {FileState.ModeText(state.Mode)} (chmod 700 \"{path}\")");
            }

            return error == Errno.None ? folder : throw Unusable(path, error.Text());
        }
    }

    private static void Lock(string path, SafeFileHandle folder, TimeSpan limit)
    {
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        Errno error;
        while ((error = Files.TryLock(folder)) == Errno.EAGAIN && System.Diagnostics.Stopwatch.GetElapsedTime(start) < limit)
        {
            Thread.Sleep(20);
        }

        if (error != Errno.None)
        {
            folder.Dispose();
            throw Unusable(path, error == Errno.EAGAIN ? "a running daemon has it (stop it first)" : error.Text());
        }
    }

    private static StartException Unusable(string path, string cause) => new($"pin \"{path}\": {cause}");
}
