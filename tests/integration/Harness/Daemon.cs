using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Couic.IntegrationTests.Harness;

/// <summary>The shipped daemon inside a lab, with its own configuration and folders; killed at the latest by Dispose.</summary>
public sealed class Daemon : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly StringBuilder _said = new();
    private ApiClient? _api;

    private Daemon(Scratch scratch, NetSpace space, DaemonOptions options)
    {
        Home = scratch[options.Name];
        ProcessStartInfo start = Product.Info("run", "-c", Write(scratch, options));
        if (options.Launcher.Length > 0)
        {
            start.ArgumentList.Insert(0, start.FileName);
            start.FileName = options.Launcher[0];
            for (int i = 1; i < options.Launcher.Length; i++)
            {
                start.ArgumentList.Insert(i - 1, options.Launcher[i]);
            }
        }

        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        foreach ((string name, string value) in options.Environment)
        {
            start.Environment[name] = value;
        }

        Process = Shell.Start(space, start);
        Process.StandardInput.Close();
        Process.OutputDataReceived += Keep;
        Process.ErrorDataReceived += Keep;
        Process.BeginOutputReadLine();
        Process.BeginErrorReadLine();
    }

    public Process Process { get; }

    /// <summary>Its folder: configuration, socket, and <c>state</c>, the working folder.</summary>
    public string Home { get; }

    public string Socket => Path.Combine(Home, "couic.sock");

    public string WorkingFolder => Path.Combine(Home, "state");

    public string Config => Path.Combine(Home, "couic.toml");

    public string Token => TokenOf("couicctl");

    /// <summary>The API as the client <c>couicctl</c>.</summary>
    public ApiClient Api => _api ??= new ApiClient(Socket, Token);

    /// <summary>Bytes of memory that it holds.</summary>
    public long Resident => 1024 * long.Parse(
        File.ReadLines($"/proc/{Process.Id}/status").First(l => l.StartsWith("VmRSS:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);

    /// <summary>Everything it wrote until now.</summary>
    public string Said
    {
        get
        {
            lock (_said)
            {
                return _said.ToString();
            }
        }
    }

    /// <summary>Writes the configuration and starts it; waits until it answers.</summary>
    public static Daemon Start(Lab lab, DaemonOptions? options = null) =>
        Start(lab.Scratch, options?.Space ?? lab.Inside, options ?? new DaemonOptions());

    /// <inheritdoc cref="Start(Lab, DaemonOptions?)"/>
    public static Daemon Start(Scratch scratch, NetSpace space, DaemonOptions options)
    {
        Daemon daemon = new(scratch, space, options);
        try
        {
            daemon.AwaitAnswer();
            return daemon;
        }
        catch
        {
            daemon.Dispose();
            throw;
        }
    }

    /// <summary>Writes folders and configuration as <see cref="Start"/> does, and hands back the configuration's path.</summary>
    public static string Write(Scratch scratch, DaemonOptions options)
    {
        string home = scratch.Folder(options.Name, options.Owner);
        string state = scratch.Folder(Path.Combine(options.Name, "state"), options.Owner);
        return scratch.File(Path.Combine(options.Name, "couic.toml"), $"""
            ifaces = [{string.Join(", ", options.Interfaces.Select(i => $"\"{i}\""))}]
            operation_mode = "{options.Mode}"
            working_dir = "{state}"
            user = "{options.Owner.User}"
            group = "{options.Owner.Group}"
            {options.Top}

            [logging]
            dir = "{options.LogDirectory}"
            {options.Logging}

            [server]
            socket = "{Path.Combine(home, "couic.sock")}"

            {options.Tables}
            """);
    }

    public string TokenOf(string client)
    {
        string path = Path.Combine(WorkingFolder, "rbac", "clients", client + ".toml");
        return File.ReadLines(path).First(l => l.StartsWith("token", StringComparison.Ordinal)).Split('"')[1];
    }

    /// <summary>An API client with another token, or none.</summary>
    public ApiClient As(string? token) => new(Socket, token);

    /// <summary>Runs <c>couicctl</c> on this daemon, in local mode.</summary>
    public Shell.Result Ctl(params string[] arguments) => Product.Run(null, ["ctl", "-c", CtlConfig(), .. arguments]);

    /// <summary><c>couicctl</c> on this daemon, on a terminal.</summary>
    public PseudoTerminal CtlOnTerminal(int columns, int rows, params string[] arguments) =>
        new(columns, rows, Product.Info(["ctl", "-c", CtlConfig(), .. arguments]));

    private string CtlConfig()
    {
        string file = Path.Combine(Home, "couicctl.toml");
        if (!File.Exists(file))
        {
            File.WriteAllText(file, $"""
                mode = "local"
                socket = "{Socket}"
                client_file = "{Path.Combine(WorkingFolder, "rbac", "clients", "couicctl.toml")}"

                """);
        }

        return file;
    }

    public void Signal(int number) => _ = Libc.kill(Process.Id, number);

    /// <summary>Sends a signal and waits for the end; returns the exit status.</summary>
    public int End(int signal = Libc.SIGTERM)
    {
        Signal(signal);
        return Process.WaitForExit(Patience)
            ? Process.ExitCode
            : throw new InvalidOperationException($"daemon: no end within {Patience.TotalSeconds} s of signal {signal}; it said: {Said}");
    }

    public void Dispose()
    {
        _api?.Dispose();
        if (!Process.HasExited)
        {
            Process.Kill();
            Process.WaitForExit();
        }

        Process.Dispose();
    }

    private void AwaitAnswer()
    {
        long start = Stopwatch.GetTimestamp();
        while (!Process.HasExited && Stopwatch.GetElapsedTime(start) < Patience)
        {
            try
            {
                using ApiClient client = new(Socket, null);
                _ = client.Get("/v1/ready");
                return;
            }
            catch (SocketException)
            {
                Thread.Sleep(5);
            }
        }

        Process.WaitForExit(TimeSpan.FromSeconds(1));
        throw new InvalidOperationException($"start daemon: {(Process.HasExited ? $"exit {Process.ExitCode}" : "no answer")}; it said: {Said}");
    }

    private void Keep(object sender, DataReceivedEventArgs line)
    {
        if (line.Data != null)
        {
            lock (_said)
            {
                _said.AppendLine(line.Data);
            }
        }
    }
}
