using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>Sending signals, of which the framework knows only the one that kills.</summary>
internal static partial class Signals
{
    public const int SIGTERM = 15;

    /// <summary>False when there is no such process, or none that may be sent signals to.</summary>
    public static bool Send(int process, int signal) => kill(process, signal) == 0;

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int process, int signal);
}
