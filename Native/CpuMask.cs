using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>The kernel's number of CPUs, which can be read without a mounted file system.</summary>
internal static unsafe class CpuMask
{
    /// <summary>
    /// The size of the kernel's CPU masks in bits: the number of possible CPUs, rounded up to whole words. The system call returns it,
    /// but the C library's wrapper does not (sched_setaffinity(2)).
    /// </summary>
    /// <returns>0 when the kernel does not return it.</returns>
    public static int Bits()
    {
        nint number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 123 : 204;
        const int LargestMask = 8192; // NR_CPUS of 65,536; the largest that kernels are built for is 8,192
        byte* mask = stackalloc byte[LargestMask];
        return (int)Math.Max(0, Libc.syscall(number, 0, LargestMask, (nint)mask)) * 8;
    }
}
