using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>membarrier(2).</summary>
internal static class Membarrier
{
    private const int MEMBARRIER_CMD_GLOBAL = 1;

    private static readonly nint Number = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 283 : 324;

    /// <summary>
    /// Waits until every BPF program that was running has ended: the kernel implements the global command by waiting for an
    /// RCU grace period, and XDP programs run as RCU readers. Some 10 to 30 ms; false on a kernel without it, or with nohz_full.
    /// </summary>
    public static bool WaitForKernelReaders() => Libc.syscall(Number, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0;
}
