using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>User and group of the calling thread.</summary>
internal static class Identity
{
    // Numbers of the 64-bit calls: glibc's own functions would change every thread, and with them the runtime's, half-way.
    private static readonly bool Arm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly nint SYS_setresuid = Arm64 ? 147 : 117;
    private static readonly nint SYS_setresgid = Arm64 ? 149 : 119;
    private static readonly nint SYS_setgroups = Arm64 ? 159 : 116;
    private static readonly nint SYS_setfsuid = Arm64 ? 151 : 122;
    private static readonly nint SYS_setfsgid = Arm64 ? 152 : 123;

    /// <summary>Makes the calling thread that user and group, with no further groups. Throws when it is not allowed.</summary>
    public static unsafe void Become(FileOwner owner)
    {
        uint user = owner.Uid, group = owner.Gid;
        if (owner == Files.CurrentOwner && user != 0)
        {
            return; // an ordinary user may not call setgroups, and has nothing to give up
        }

        Check(Libc.syscall(SYS_setgroups, 1, (nint)(&group), 0), "setgroups");
        Check(Libc.syscall(SYS_setresgid, (nint)group, (nint)group, (nint)group), "setresgid");
        Check(Libc.syscall(SYS_setresuid, (nint)user, (nint)user, (nint)user), "setresuid");
    }

    /// <summary>
    /// Does something in a folder: as root only where none but root can change its names, else as that owner. So whoever owns the
    /// folder cannot have root change a file by putting another one, or a link, under the name in between.
    /// </summary>
    /// <param name="action">Runs on the calling thread, once.</param>
    public static T ActIn<T>(in FileState folder, FileOwner owner, Func<T> action)
    {
        const int OthersWrite = 0b010_010;
        bool isRoots = folder.Owner.Uid == 0 && (folder.Mode & OthersWrite) == 0;
        return Files.CurrentOwner.Uid != 0 || owner.Uid == 0 || isRoots ? action() : ActAs(owner, action);
    }

    /// <summary>With the file system's user and group alone, which are the thread's own (setfsuid(2)): the capabilities over files go with it.</summary>
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

    /// <summary>The one before; a number that does not exist changes nothing.</summary>
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
