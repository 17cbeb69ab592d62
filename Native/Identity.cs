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

    private static void Check(nint result, string call)
    {
        if (result < 0)
        {
            int errno = Marshal.GetLastPInvokeError();
            throw new Win32Exception(errno, $"{call}: {Marshal.GetPInvokeErrorMessage(errno)}");
        }
    }
}
