using System.Diagnostics;
using System.Globalization;

namespace Couic.IntegrationTests.Harness;

/// <summary>A process that holds many connections to a daemon and sends nothing; it ends when disposed.</summary>
internal sealed class OtherProcess : IDisposable
{
    private const string Script = """
        import resource, select, socket, sys
        resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
        path, held = sys.argv[1], []
        for _ in range(int(sys.argv[2])):
            one = socket.socket(socket.AF_UNIX)
            one.connect(path)
            one.setblocking(False)
            held.append(one)
        print("connected", flush=True)
        def is_lost(one):
            try:
                return one.recv(4096) == b""
            except BlockingIOError:
                return False
            except OSError:
                return True
        for _ in sys.stdin:
            print(sum(is_lost(one) for one in held), flush=True)
        """;

    private readonly Process _process;

    private OtherProcess(Process process) => _process = process;

    /// <summary>Returns when all of them are connected, which is when the daemon's backlog has taken the last.</summary>
    public static OtherProcess Connect(Daemon daemon, int connections)
    {
        ProcessStartInfo start = new("python3", ["-c", Script, daemon.Socket, $"{connections}"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        OtherProcess other = new(Shell.Start(null, start));
        if (other._process.StandardOutput.ReadLine() != "connected")
        {
            throw new InvalidOperationException($"open {connections} connections: the process ended");
        }

        return other;
    }

    /// <summary>How many of them the daemon has closed.</summary>
    public int Lost()
    {
        _process.StandardInput.WriteLine();
        _process.StandardInput.Flush();
        return int.Parse(_process.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
    }
}
