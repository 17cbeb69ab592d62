using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Couic.Demo;

/// <summary>
/// <c>couic demo</c>: shows that the filter works on this kernel, with real packets between two namespaces that it creates and
/// removes.
/// </summary>
internal static class DemoMain
{
    /// <summary>The first argument of the hidden call that runs <see cref="DemoKeeper"/>.</summary>
    public const string KeeperWord = "--keeper";

    /// <summary>Runs the verb. Exit status 0 when every verdict was right, 1 otherwise, 2 for invalid arguments.</summary>
    /// <param name="arguments">The arguments after the verb.</param>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments is [KeeperWord, string program, string config, string folder])
        {
            return DemoKeeper.Run(program, config, folder);
        }

        if (arguments is ["-h" or "--help"])
        {
            Console.Out.Write("""
                Usage: couic demo

                Makes two network namespaces and a pair of interfaces, runs the daemon there, sends packets that its rules
                drop and pass, and prints what became of them, in under 10 s. Needs root; leaves nothing behind.
                Exit status: 0 every verdict was right, 1 otherwise.

                """);
            return 0;
        }

        if (!arguments.IsEmpty)
        {
            Console.Error.WriteLine($"couic demo: unexpected argument \"{arguments[0]}\" (it takes none)");
            return 2;
        }

        try
        {
            return Show();
        }
        catch (UnauthorizedAccessException e)
        {
            Console.Error.WriteLine($"couic demo: {e.Message} (run it as root: sudo couic demo)");
        }
        catch (IOException e)
        {
            Console.Error.WriteLine($"couic demo: {e.Message}");
        }

        return 1;
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
