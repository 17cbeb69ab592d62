using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>prctl(2), as far as privileges and names of threads go. All of it concerns the calling thread alone.</summary>
internal static partial class Prctl
{
    private const int PR_SET_KEEPCAPS = 8;
    private const int PR_SET_NAME = 15;
    private const int PR_CAPBSET_READ = 23;
    private const int PR_CAPBSET_DROP = 24;
    private const int PR_SET_NO_NEW_PRIVS = 38;
    private const int PR_CAP_AMBIENT = 47;
    private const int PR_CAP_AMBIENT_RAISE = 2;
    private const int PR_CAP_AMBIENT_CLEAR_ALL = 4;

    /// <summary>Permitted capabilities survive a change of uid away from 0.</summary>
    public static bool KeepCapabilities() => prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0;

    public static bool SetNoNewPrivileges() => prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;

    /// <summary>Whether the bounding set has the capability; null when the kernel does not know it.</summary>
    public static bool? BoundingHas(int capability) => prctl(PR_CAPBSET_READ, (nuint)capability, 0, 0, 0) switch
    {
        0 => false,
        1 => true,
        _ => null,
    };

    public static bool DropBounding(int capability) => prctl(PR_CAPBSET_DROP, (nuint)capability, 0, 0, 0) == 0;

    public static bool RaiseAmbient(int capability) => prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, (nuint)capability, 0, 0) == 0;

    public static bool ClearAmbient() => prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0;

    /// <summary>What <c>ps</c> shows of the calling thread: at most 15 bytes.</summary>
    public static unsafe void SetThreadName(ReadOnlySpan<byte> name)
    {
        Span<byte> text = stackalloc byte[16];
        text.Clear();
        name[..Math.Min(name.Length, 15)].CopyTo(text);
        fixed (byte* pointer = text)
        {
            _ = prctl(PR_SET_NAME, (nuint)pointer, 0, 0, 0);
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int prctl(int option, nuint arg2, nuint arg3, nuint arg4, nuint arg5);
}
