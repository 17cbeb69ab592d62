namespace Couic.Native;

/// <summary>Sending signals, of which the framework knows only the one that kills, and being deaf to them.</summary>
internal static class Signals
{
    public const int SIGHUP = 1;
    public const int SIGINT = 2;
    public const int SIGTERM = 15;

    private const nint SIG_IGN = 1;

    /// <summary>False when there is no such process, or none that may be sent signals to.</summary>
    public static bool Send(int process, int signal) => Libc.kill(process, signal) == 0;

    /// <summary>The signal does nothing to this process any more.</summary>
    public static void Ignore(int signal) => _ = Libc.signal(signal, SIG_IGN);
}
