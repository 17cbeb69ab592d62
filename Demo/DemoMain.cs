using System.Diagnostics;
using System.Runtime.InteropServices;
using Couic.CommandLine;

namespace Couic.Demo;

/// <summary>
/// <c>couic demo</c>: shows that the filter works on this kernel, with real packets between two namespaces that it creates and
/// removes.
/// </summary>
internal static class DemoMain
{
    public static readonly CommandSpec Spec = new()
    {
        Name = "demo",
        Summary = "Drop and pass real packets between two network namespaces, in under 10 s",
        Details =
        [
            "Makes two network namespaces and a pair of interfaces, runs the daemon there, sends packets that its rules "
            + "drop and pass, and prints what became of them. Needs root; leaves nothing behind.",
            "Exit status: 0 every verdict was right, 1 otherwise.",
        ],
        Run = _ => Run(),
    };

    private static int Run()
    {
        try
        {
            return Show();
        }
        catch (UnauthorizedAccessException e)
        {
            throw new CliException($"{e.Message} (run it as root: sudo couic demo)");
        }
        catch (IOException e)
        {
            throw new CliException(e.Message);
        }
    }

    private static int Show()
    {
        long start = Stopwatch.GetTimestamp();
        using var network = new DemoNetwork();

        // An interrupted demonstration has no result; the supervisor cleans up.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => Environment.Exit(130));
        var printer = new DemoPrinter(Console.Out);
        printer.Begin();
        var run = new DemoRun(network, printer, TimeProvider.System);
        run.Run("generic", brief: false);
        run.Run("native", brief: true);
        printer.End(Stopwatch.GetElapsedTime(start));
        return printer.AllRight ? 0 : 1;
    }
}
