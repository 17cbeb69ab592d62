using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using Couic.Native;

namespace Couic.Demo;

/// <summary>A second process of this executable: the daemon inside the namespace, with its own configuration and folder.</summary>
internal sealed class DemoDaemon : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private readonly string _folder = Directory.CreateTempSubdirectory("couic-demo-").FullName;
    private readonly StringBuilder _said = new();
    private readonly Process _keeper;

    /// <summary>Starts the daemon and waits for its first answer, which comes after the filter is attached.</summary>
    /// <exception cref="IOException">The daemon did not start; the message ends with its output.</exception>
    public DemoDaemon(DemoNetwork network, string mode)
    {
        string config = WriteConfiguration(mode);
        string program = Exec.OwnPath();
        var start = new ProcessStartInfo(program, [DemoKeeper.Verb, program, config, _folder])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // A process inherits the namespace of the thread that starts it.
        _keeper = network.Inside.Run(() => Process.Start(start)!);
        _keeper.OutputDataReceived += Keep;
        _keeper.ErrorDataReceived += Keep;
        _keeper.BeginOutputReadLine();
        _keeper.BeginErrorReadLine();
        try
        {
            AwaitAnswer();
            Api = new DemoApi(SocketPath, ReadToken());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _keeper.StandardInput.Close();
            _keeper.WaitForExit();
            throw new IOException($"{e.Message} (it said: {Said()})", e);
        }
    }

    public DemoApi Api { get; }

    private string SocketPath => Path.Combine(_folder, "couic.sock");

    /// <summary>Stops the daemon; false unless it exits with status 0.</summary>
    public bool Stop()
    {
        _keeper.StandardInput.Close();
        return _keeper.WaitForExit(Patience + Patience) && _keeper.ExitCode == 0;
    }

    public void Dispose()
    {
        Api.Dispose();
        _keeper.StandardInput.Close();
        _keeper.WaitForExit();
        _keeper.Dispose();
    }

    private string WriteConfiguration(string mode)
    {
        string state = Directory.CreateDirectory(Path.Combine(_folder, "state")).FullName;
        string path = Path.Combine(_folder, "couic.toml");
        File.WriteAllText(path, $"""
            ifaces = ["{DemoNetwork.InnerInterface}"]
            operation_mode = "{mode}"
            working_dir = "{state}"
            user = "root"
            group = "root"

            [logging]
            dir = "-"

            [server]
            socket = "{SocketPath}"

            """);
        return path;
    }

    private void AwaitAnswer()
    {
        long start = Stopwatch.GetTimestamp();
        while (!_keeper.HasExited && Stopwatch.GetElapsedTime(start) < Patience)
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                socket.Connect(new UnixDomainSocketEndPoint(SocketPath));
                return;
            }
            catch (SocketException)
            {
                Thread.Sleep(5);
            }
        }

        throw new IOException(_keeper.HasExited ? "start daemon: it ended at once" : "start daemon: no answer within 5 s");
    }

    private string ReadToken()
    {
        string path = Path.Combine(_folder, "state", "rbac", "clients", "couicctl.toml");
        string line = File.ReadLines(path).First(l => l.StartsWith("token", StringComparison.Ordinal));
        return line.Split('"')[1];
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        lock (_said)
        {
            _said.Append(line.Data).Append("; ");
        }
    }

    private string Said()
    {
        lock (_said)
        {
            return _said.Length == 0 ? "nothing" : _said.ToString().TrimEnd(';', ' ');
        }
    }
}
