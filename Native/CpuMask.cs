using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>What the kernel says of CPUs without any file system mounted.</summary>
internal static unsafe class CpuMask
{
    /// <summary>
    /// The size of the kernel's own CPU masks in bits: at least as many as there can be CPUs, rounded up to whole words. The
    /// call itself returns it, not the C library's function of that name (sched_setaffinity(2)).
    /// </summary>
    /// <returns>0 when the kernel does not tell.</returns>
    public static int Bits()
    {
        nint number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 123 : 204;
        const int LargestMask = 8192; // NR_CPUS of 65,536; the largest that kernels are built for is 8,192
        byte* mask = stackalloc byte[LargestMask];
        return (int)Math.Max(0, Libc.syscall(number, 0, LargestMask, (nint)mask)) * 8;
    }
}
