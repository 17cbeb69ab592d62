using System.Diagnostics;

namespace Couic.IntegrationTests.Harness;

/// <summary>The system calls that a daemon makes, in their order, by strace.</summary>
internal sealed class SystemCalls : IDisposable
{
    private readonly string _file;
    private readonly Process _strace;

    /// <param name="names">The calls that are wanted, with commas; one with <c>?</c> in front need not be there on every processor.</param>
    public SystemCalls(Scratch scratch, Daemon daemon, string names)
    {
        _file = scratch["calls"];
        _strace = Shell.Start(null, new ProcessStartInfo("strace", ["-f", "-qq", "-e", "signal=none", "-e", $"trace={names}", "-o", _file, "-p", $"{daemon.Process.Id}"]));
        Eventually.Holds(() => Directory.GetDirectories($"/proc/{daemon.Process.Id}/task").All(IsTraced), "every thread is traced");
    }

    /// <summary>Ends the tracing. A call that another thread's came between is there once.</summary>
    public string[] End()
    {
        _ = Libc.kill(_strace.Id, Libc.SIGTERM);
        _strace.WaitForExit();
        return [.. File.ReadLines(_file).Select(line => line.Split(' ', 2, StringSplitOptions.TrimEntries)[1]).Where(call => !call.StartsWith('<'))];
    }

    public void Dispose()
    {
        if (!_strace.HasExited)
        {
            _ = End();
        }

        _strace.Dispose();
    }

    /// <summary>A thread that has ended needs no tracing.</summary>
    private static bool IsTraced(string thread)
    {
        try
        {
            return !File.ReadLines($"{thread}/status").Contains("TracerPid:\t0");
        }
        catch (IOException)
        {
            return true;
        }
    }
}
