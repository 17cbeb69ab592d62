using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Config;

/// <summary>The folders under <c>working_dir</c>: created when missing, else checked.</summary>
public static class WorkingFolder
{
    /// <summary>Permission bits of every folder.</summary>
    public const int Mode = 0x1ed; // 0755

    /// <summary>Parents before children.</summary>
    private static readonly string[] Folders = ["rbac", "rbac/clients", "sets", "sets/ignore", "sets/drop"];

    public static string Clients(string workingDir) => Path.Combine(workingDir, "rbac", "clients");

    /// <param name="workingDir">The folder of the configuration.</param>
    /// <param name="policy"><c>drop</c> or <c>ignore</c>.</param>
    public static string Sets(string workingDir, string policy) => Path.Combine(workingDir, "sets", policy);

    /// <summary>
    /// Creates missing folders with that owner and mode 755, and checks the others. Works as root and, for the user's own folders, without
    /// privileges. No link is followed below <paramref name="workingDir"/>, so that its owner cannot lead root elsewhere.
    /// </summary>
    /// <param name="make">Whether <paramref name="workingDir"/> itself is created too (embedded default) or must exist.</param>
    /// <exception cref="IOException">A folder is missing, is not a folder, or has another owner, group or mode; all of them are named.</exception>
    public static void Prepare(string workingDir, FileOwner owner, bool make = false)
    {
        if (make)
        {
            Directory.CreateDirectory(workingDir);
        }

        List<Fault> faults = [];
        Visit(workingDir, faults, (parent, name, path) => MakeFolder(parent, name, path, owner, faults));
        if (faults.Count > 0)
        {
            throw new IOException($"prepare working_dir \"{workingDir}\": {string.Join("; ", faults)}");
        }
    }

    /// <summary>The same check without creating anything: a missing folder is not a fault, as the daemon creates it.</summary>
    public static void Check(string workingDir, FileOwner? owner, List<Fault> faults) =>
        Visit(workingDir, faults, (parent, name, path) => Open(parent, name, path, owner, faults, isRequired: false));

    /// <summary>The folder of the journal.</summary>
    public static string State(string workingDir) => Path.Combine(workingDir, "state");

    /// <summary>
    /// Creates the folder of the journal when it is missing. A fault does not end the start: the daemon works without a journal, and reports
    /// why when it opens it.
    /// </summary>
    public static IReadOnlyList<Fault> PrepareState(string workingDir, FileOwner owner)
    {
        List<Fault> faults = [];
        Errno error = Files.TryOpenFolder(workingDir, out SafeFileHandle? root);
        using (root)
        {
            string path = State(workingDir);
            using SafeFileHandle? made = error == Errno.None ? MakeFolder(root!, Path.GetFileName(path), path, owner, faults) : null;
        }

        return faults;
    }

    private static void Visit(string workingDir, List<Fault> faults, Func<SafeFileHandle, string, string, SafeFileHandle?> enter)
    {
        Errno error = Files.TryOpenFolder(workingDir, out SafeFileHandle? root);
        if (error != Errno.None)
        {
            faults.Add(new Fault(workingDir, $"{error.Text()} (working_dir must exist: mkdir -p \"{workingDir}\")"));
            return;
        }

        Dictionary<string, SafeFileHandle> open = new() { [string.Empty] = root! };
        try
        {
            foreach (string folder in Folders)
            {
                string above = Path.GetDirectoryName(folder)!;
                if (open.TryGetValue(above, out SafeFileHandle? parent)
                    && enter(parent, Path.GetFileName(folder), Path.Combine(workingDir, folder)) is { } handle)
                {
                    open.Add(folder, handle);
                }
            }
        }
        finally
        {
            foreach (SafeFileHandle handle in open.Values)
            {
                handle.Dispose();
            }
        }
    }

    private static SafeFileHandle? MakeFolder(SafeFileHandle parent, string name, string path, FileOwner owner, List<Fault> faults)
    {
        SafeFileHandle? folder = null;
        Errno error = Files.TryStat(parent, out FileState state);
        error = error == Errno.None ? Identity.ActIn(state, owner, () => Make(parent, name, owner, out folder)) : error;
        if (error == Errno.EEXIST)
        {
            return Open(parent, name, path, owner, faults, isRequired: true);
        }

        if (error == Errno.None)
        {
            return folder;
        }

        folder?.Dispose();
        faults.Add(new Fault(path, $"cannot be created: {error.Text()}"));
        return null;
    }

    private static Errno Make(SafeFileHandle parent, string name, FileOwner owner, out SafeFileHandle? folder)
    {
        folder = null;
        Errno error = Files.TryMakeFolder(parent, name, 0x1c0); // 0700 until the owner is right
        error = error == Errno.None ? Files.TryOpenFolder(parent, name, out folder) : error;
        return error == Errno.None ? Adopt(folder!, owner) : error;
    }

    private static Errno Adopt(SafeFileHandle folder, FileOwner owner)
    {
        Errno error = Files.TryStat(folder, out FileState state);
        if (error == Errno.None && state.Owner != owner)
        {
            error = Files.TryChown(folder, owner);
        }

        return error == Errno.None ? Files.TryChmod(folder, Mode) : error;
    }

    private static SafeFileHandle? Open(
        SafeFileHandle parent, string name, string path, FileOwner? owner, List<Fault> faults, bool isRequired)
    {
        Errno error = Files.TryOpenFolder(parent, name, out SafeFileHandle? folder);
        error = error == Errno.None ? Files.TryStat(folder!, out FileState state) : Out(error, out state);
        if (error != Errno.None)
        {
            folder?.Dispose();
            if (isRequired || error != Errno.ENOENT)
            {
                faults.Add(new Fault(path, error is Errno.ENOTDIR or Errno.ELOOP ? "is not a folder (a link does not count)" : error.Text()));
            }

            return null;
        }

        if (owner is { } wanted && state.Owner != wanted)
        {
            faults.Add(new Fault(path, $"owner is {state.Owner.Uid}:{state.Owner.Gid} (chown {wanted.Uid}:{wanted.Gid} \"{path}\")"));
        }

        if (state.Mode != Mode)
        {
            faults.Add(new Fault(path, $"mode is {FileState.ModeText(state.Mode)} (chmod 755 \"{path}\")"));
        }

        return folder;
    }

    private static Errno Out(Errno error, out FileState state)
    {
        state = default;
        return error;
    }
}

/// <summary>The folder of the log files, created for the daemon's user while the process has the privileges.</summary>
public static class LogFolder
{
    /// <summary>Permission bits of a created folder: logs name clients and addresses.</summary>
    public const int Mode = 0x1e8; // 0750

    /// <summary>Creates the folder with that owner when it is missing; an existing one is not changed. Its parent must exist.</summary>
    /// <exception cref="IOException">It cannot be created, or is not a folder.</exception>
    public static void Prepare(string folder, FileOwner owner)
    {
        string path = Path.TrimEndingDirectorySeparator(folder);
        if (Files.TryStatTarget(path, out FileState state) == Errno.None)
        {
            if (state.Kind != FileKind.Folder)
            {
                throw new IOException($"use log folder \"{path}\": it is not a folder");
            }

            return;
        }

        Errno error = Files.TryOpenFolder(Path.GetDirectoryName(path) ?? "/", out SafeFileHandle? parent);
        using (parent)
        {
            error = error == Errno.None ? Files.TryStat(parent!, out state) : error;
            error = error == Errno.None ? Identity.ActIn(state, owner, () => Make(parent!, Path.GetFileName(path), owner)) : error;
        }

        if (error != Errno.None)
        {
            throw new IOException($"create log folder \"{path}\": {error.Text()} (create it for the daemon's user, or set [logging] dir = \"-\")");
        }
    }

    private static Errno Make(SafeFileHandle parent, string name, FileOwner owner)
    {
        Errno error = Files.TryMakeFolder(parent, name, Mode);
        SafeFileHandle? made = null;
        error = error == Errno.None ? Files.TryOpenFolder(parent, name, out made) : error;
        using (made)
        {
            FileState state = default;
            error = error == Errno.None ? Files.TryStat(made!, out state) : error;
            error = error == Errno.None && state.Owner != owner ? Files.TryChown(made!, owner) : error;
            return error == Errno.None ? Files.TryChmod(made!, Mode) : error;
        }
    }
}
