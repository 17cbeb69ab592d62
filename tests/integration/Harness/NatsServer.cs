using System.Diagnostics;

namespace Couic.IntegrationTests.Harness;

/// <summary>Debian's nats-server with JetStream on the loopback of a namespace; its folder outlives a restart.</summary>
internal sealed class NatsServer : IDisposable
{
    private readonly NetSpace _space;
    private readonly string _config;
    private Process? _process;

    /// <param name="more">Further lines of the server's configuration.</param>
    public NatsServer(NetSpace space, Scratch scratch, string name = "nats", int port = 4222, string more = "")
    {
        _space = space;
        Port = port;
        Store = scratch.Folder(name);
        _config = scratch.File($"{name}.conf", $$"""
            server_name: {{name}}
            listen: 127.0.0.1:{{port}}
            max_payload: 9MB
            jetstream { store_dir: "{{Store}}" }
            {{more}}
            """);
        Start();
    }

    public int Port { get; }

    public string Store { get; }

    public void Start()
    {
        _process = Shell.Start(_space, new ProcessStartInfo("nats-server", ["-c", _config]) { RedirectStandardError = true });
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
        Eventually.Holds(() => _space.Do(() => CanConnect(Port)), $"nats-server listens on {Port}");
    }

    /// <summary>As <c>kill -9</c>.</summary>
    public void Kill()
    {
        _process?.Kill();
        _process?.WaitForExit();
        _process?.Dispose();
        _process = null;
    }

    public void Dispose() => Kill();

    private static bool CanConnect(int port)
    {
        try
        {
            using System.Net.Sockets.TcpClient client = new("127.0.0.1", port);
            return true;
        }
        catch (System.Net.Sockets.SocketException)
        {
            return false;
        }
    }
}
