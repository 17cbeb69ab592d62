using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Config;

/// <summary>The folder of the log files, made for the daemon's user while there are privileges to do so.</summary>
public static class LogFolder
{
    /// <summary>Permission bits of a folder that is made: logs name clients and addresses.</summary>
    public const int Mode = 0x1e8; // 0750

    /// <summary>Makes the folder with that owner when it is missing; one that is there is left as it is. Its parent must exist.</summary>
    /// <exception cref="IOException">It cannot be made, or is no folder.</exception>
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
            throw new IOException($"make log folder \"{path}\": {error.Text()} (make it for the daemon's user, or set [logging] dir = \"-\")");
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
