using System.Diagnostics;

namespace Couic.Demo;

/// <summary>
/// The supervisor between the demonstration and its daemon. It stops the daemon and removes the folder when its standard input
/// ends, which happens even if the demonstration is killed.
/// </summary>
internal static class DemoKeeper
{
    /// <summary>The first argument of the hidden call.</summary>
    public const string Verb = "demo-keeper";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Runs <c>PROGRAM run -c CONFIG</c> until standard input ends, then removes <paramref name="folder"/>.</summary>
    public static int Run(string program, string config, string folder)
    {
        // Ctrl-C at the terminal reaches this process too, but it has to clean up.
        using var interrupt = System.Runtime.InteropServices.PosixSignalRegistration.Create(
            System.Runtime.InteropServices.PosixSignal.SIGINT, context => context.Cancel = true);
        using var terminate = System.Runtime.InteropServices.PosixSignalRegistration.Create(
            System.Runtime.InteropServices.PosixSignal.SIGTERM, context => context.Cancel = true);
        try
        {
            using Process daemon = Process.Start(new ProcessStartInfo(program, ["run", "-c", config]) { RedirectStandardInput = true })!;
            daemon.StandardInput.Close();
            Console.OpenStandardInput().CopyTo(Stream.Null);
            return End(daemon) ? 0 : 1;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Stops the daemon with SIGTERM; false if it had to be killed or failed.</summary>
    private static bool End(Process daemon)
    {
        if (!daemon.HasExited)
        {
            Native.Signals.Send(daemon.Id, Native.Signals.SIGTERM);
        }

        if (daemon.WaitForExit(Patience))
        {
            return daemon.ExitCode == 0;
        }

        daemon.Kill();
        daemon.WaitForExit();
        return false;
    }
}
