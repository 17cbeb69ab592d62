using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>User and group of the calling thread.</summary>
internal static class Identity
{
    // Raw system calls: glibc's functions would change every thread, including those of the runtime.
    private static readonly bool Arm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly nint SYS_setresuid = Arm64 ? 147 : 117;
    private static readonly nint SYS_setresgid = Arm64 ? 149 : 119;
    private static readonly nint SYS_setgroups = Arm64 ? 159 : 116;
    private static readonly nint SYS_setfsuid = Arm64 ? 151 : 122;
    private static readonly nint SYS_setfsgid = Arm64 ? 152 : 123;

    /// <summary>Switches the calling thread to a user and group, without supplementary groups. Throws when that is not permitted.</summary>
    public static unsafe void Become(FileOwner owner)
    {
        uint user = owner.Uid, group = owner.Gid;
        if (owner == Files.CurrentOwner && user != 0)
        {
            return; // an unprivileged user may not call setgroups, and has no privilege to drop
        }

        Check(Libc.syscall(SYS_setgroups, 1, (nint)(&group), 0), "setgroups");
        Check(Libc.syscall(SYS_setresgid, (nint)group, (nint)group, (nint)group), "setresgid");
        Check(Libc.syscall(SYS_setresuid, (nint)user, (nint)user, (nint)user), "setresuid");
    }

    /// <summary>
    /// Runs an action on files of a folder: as root only if root alone can change the folder's names, otherwise as the owner. So the
    /// folder's owner cannot swap in another file, or a link, for root to change.
    /// </summary>
    /// <param name="action">Runs on the calling thread, once.</param>
    public static T ActIn<T>(in FileState folder, FileOwner owner, Func<T> action)
    {
        const int OthersWrite = 0b010_010;
        bool isRoots = folder.Owner.Uid == 0 && (folder.Mode & OthersWrite) == 0;
        return Files.CurrentOwner.Uid != 0 || owner.Uid == 0 || isRoots ? action() : ActAs(owner, action);
    }

    /// <summary>Switches only the thread's file system user and group (setfsuid(2)), which drops the capabilities over files.</summary>
    private static T ActAs<T>(FileOwner owner, Func<T> action)
    {
        (uint before, uint groupBefore) = (SetFileUser(SYS_setfsuid, uint.MaxValue), SetFileUser(SYS_setfsgid, uint.MaxValue));
        _ = SetFileUser(SYS_setfsgid, owner.Gid);
        _ = SetFileUser(SYS_setfsuid, owner.Uid);
        try
        {
            return action();
        }
        finally
        {
            _ = SetFileUser(SYS_setfsuid, before);
            _ = SetFileUser(SYS_setfsgid, groupBefore);
        }
    }

    /// <summary>Returns the previous id; an invalid id changes nothing.</summary>
    private static uint SetFileUser(nint call, uint id) => (uint)Libc.syscall(call, (nint)id, 0, 0);

    private static void Check(nint result, string call)
    {
        if (result < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            throw new Win32Exception(errno, $"{call}: {Marshal.GetPInvokeErrorMessage(errno)}");
        }
    }
}
