using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>
/// The capability sets of the calling thread (capabilities(7)), as bit masks by capability number. Each thread has its own: the whole
/// process loses a capability only when this thread calls execve, which ends the others.
/// </summary>
internal static partial class Capabilities
{
    public const int SetPcap = 8;
    public const int NetAdmin = 12;
    public const int SysAdmin = 21;
    public const int PerfMon = 38;
    public const int Bpf = 39;

    private const uint Version3 = 0x20080522;
    private const int Highest = 63;

    public static ulong Mask(int capability) => 1UL << capability;

    public static unsafe ulong Permitted()
    {
        var header = new Header { Version = Version3 };
        Span<Data> data = stackalloc Data[2];
        data.Clear();
        fixed (Data* pointer = data)
        {
            return capget(&header, pointer) == 0 ? data[0].Permitted | ((ulong)data[1].Permitted << 32) : 0;
        }
    }

    /// <summary>Sets permitted and effective to one mask and inheritable to another.</summary>
    public static unsafe bool Set(ulong permitted, ulong inheritable)
    {
        var header = new Header { Version = Version3 };
        Span<Data> data = [
            new Data { Effective = (uint)permitted, Permitted = (uint)permitted, Inheritable = (uint)inheritable },
            new Data { Effective = (uint)(permitted >> 32), Permitted = (uint)(permitted >> 32), Inheritable = (uint)(inheritable >> 32) },
        ];
        fixed (Data* pointer = data)
        {
            return capset(&header, pointer) == 0;
        }
    }

    /// <summary>Removes everything but <paramref name="keep"/> from the bounding set. False when that is not permitted.</summary>
    public static bool ReduceBounding(ulong keep)
    {
        bool all = true;
        for (int capability = 0; capability <= Highest; capability++)
        {
            if ((keep & Mask(capability)) == 0 && Prctl.BoundingHas(capability) == true)
            {
                all &= Prctl.DropBounding(capability);
            }
        }

        return all;
    }

    /// <summary>Sets the ambient set to <paramref name="mask"/>, which must be permitted and inheritable.</summary>
    public static bool SetAmbient(ulong mask)
    {
        bool all = Prctl.ClearAmbient();
        for (int capability = 0; capability <= Highest; capability++)
        {
            if ((mask & Mask(capability)) != 0)
            {
                all &= Prctl.RaiseAmbient(capability);
            }
        }

        return all;
    }

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int capget(Header* header, Data* data);

    [LibraryImport("libc", SetLastError = true)]
    private static unsafe partial int capset(Header* header, Data* data);

    [StructLayout(LayoutKind.Sequential)]
    private struct Header
    {
        public uint Version;
        public int Pid;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Data
    {
        public uint Effective;
        public uint Permitted;
        public uint Inheritable;
    }
}

/// <summary>prctl(2) for privileges and thread names. It affects the calling thread only.</summary>
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

    /// <summary>Whether the bounding set has the capability; null when the kernel does not know the capability.</summary>
    public static bool? BoundingHas(int capability) => prctl(PR_CAPBSET_READ, (nuint)capability, 0, 0, 0) switch
    {
        0 => false,
        1 => true,
        _ => null,
    };

    public static bool DropBounding(int capability) => prctl(PR_CAPBSET_DROP, (nuint)capability, 0, 0, 0) == 0;

    public static bool RaiseAmbient(int capability) => prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, (nuint)capability, 0, 0) == 0;

    public static bool ClearAmbient() => prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0;

    /// <summary>Sets the name that <c>ps</c> shows for the calling thread: at most 15 bytes.</summary>
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
