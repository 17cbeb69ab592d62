using System.Net;
using System.Net.Sockets;
using System.Text;
using Couic.Bpf;
using Couic.Config;
using Couic.Daemon;
using Couic.Native;
using Couic.Store;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Daemon;

/// <summary>
/// The daemon proper inside the test's process: real tables, no privileges given up, no interface, and an attacher that says so. A peer that
/// hangs up, one whose name does not resolve, and a web hook keep its callbacks busy.
/// </summary>
internal sealed class HostRig : IDisposable
{
    /// <summary>What owns descriptors that a daemon holds until its process ends.</summary>
    private static readonly List<object> Kept = [];

    private readonly TempFolder _folder = new();
    private readonly TcpListener _peer = new(IPAddress.Loopback, 0);
    private readonly MessageChannel _theirs;
    private readonly Task<bool> _waiting;
    private bool _isEnded;

    /// <param name="keeps">Whether it has a journal.</param>
    public HostRig(bool keeps = false)
    {
        _peer.Start();
        _ = HangUpAsync();
        string work = Directory.CreateDirectory(_folder["work"]).FullName;
        WorkingFolder.Prepare(work, FileOwner.Current);
        Assert.Empty(WorkingFolder.PrepareState(work, FileOwner.Current));
        (string certificate, string key, _) = SelfSigned.Make(["localhost"], TimeSpan.FromDays(1), DateTimeOffset.UtcNow);
        string config = _folder.Write("couic.toml", $"""
            ifaces = []
            allow_no_ifaces = true
            working_dir = "{work}"
            user = "root"
            group = "root"

            [logging]
            dir = "{Directory.CreateDirectory(_folder["logs"]).FullName}"

            [server]
            socket = "{Socket}"
            listen = ["127.0.0.1:2900"]

            [server.tls]
            cert_file = "{_folder.Write("cert.pem", certificate)}"
            key_file = "{_folder.Write("key.pem", key)}"

            [state]
            dynamic = "{(keeps ? "kept" : "volatile")}"

            [reporting]
            enabled = true
            webhook = "http://127.0.0.1:1/x"

            [peering]
            enabled = true

            [[peering.peers]]
            host = "127.0.0.1"
            port = {((IPEndPoint)_peer.LocalEndpoint).Port}
            token = "{Guid.NewGuid()}"

            [[peering.peers]]
            host = "no-such-name.invalid"
            port = 2900
            token = "{Guid.NewGuid()}"

            [bus]
            enabled = true
            servers = ["nats://127.0.0.1:1"]
            """);
        var faults = new List<Fault>();
        Settings? settings = SettingsReader.Read(config, File.ReadAllBytes(config), faults, checkHost: false);
        Assert.True(settings is not null, string.Join('\n', faults));
        LoadedPlane plane = XdpLoader.Load(new PlaneOptions { Limits = new StoreLimits(1024, 256, 64) });
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(Socket));
        System.Net.Sockets.Socket network = TcpListeners.Bind([new IPEndPoint(IPAddress.Loopback, 0)])[0];
        (MessageChannel ours, _theirs) = MessageChannel.Pair();
        new Thread(Attach) { IsBackground = true }.Start();
        var handover = new Handover(
            (int)listener.Handle, (int)ours.Handle.DangerousGetHandle(), -1, -1, -1, false, config, plane.Maps.ToText(), [], [(int)network.Handle], 0, []);
        listener.SafeHandle.SetHandleAsInvalid(); // the daemon owns it now
        network.SafeHandle.SetHandleAsInvalid();
        ours.Handle.SetHandleAsInvalid();
        Host = new DaemonHost(handover, settings, File.ReadAllBytes(config));
        Kept.AddRange([plane, Host, listener]); // a socket that is collected removes its file
        Host.Start();
        _waiting = Task.Factory.StartNew(Host.WaitForStop, TaskCreationOptions.LongRunning);
    }

    public DaemonHost Host { get; }

    /// <summary>Whether the daemon was stopped; false when it ended because of a fault.</summary>
    public Task<bool> Ended => _waiting;

    private string Socket => _folder["s"];

    /// <summary>One request on a new connection. Null without a response.</summary>
    public string? Get(string path)
    {
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { ReceiveTimeout = 5_000 };
            socket.Connect(new UnixDomainSocketEndPoint(Socket));
            socket.Send(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
            var answer = new byte[64 * 1024];
            int length = 0;
            for (int n; length < answer.Length && (n = socket.Receive(answer, length, answer.Length - length, SocketFlags.None)) > 0;)
            {
                length += n;
            }

            return length == 0 ? null : Encoding.UTF8.GetString(answer, 0, length);
        }
        catch (SocketException)
        {
            return null;
        }
    }

    /// <summary>What the daemon has logged to its file.</summary>
    public string Log => string.Concat(Directory.GetFiles(_folder["logs"]).Select(File.ReadAllText));

    /// <summary>Ends the daemon, once.</summary>
    public void End()
    {
        if (!_isEnded)
        {
            _isEnded = true;
            Host.Dispose();
        }
    }

    public void Dispose()
    {
        End();
        _peer.Stop();
        _folder.Dispose();
    }

    private async Task HangUpAsync()
    {
        try
        {
            while (true)
            {
                (await _peer.AcceptSocketAsync()).Dispose();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private void Attach()
    {
        var message = new byte[64];
        while (_theirs.Receive(message, []) > 0)
        {
            _theirs.Send(AttacherReply.Encode([], new Dictionary<int, FileDescriptor>()).Single().Text);
        }

        _theirs.Dispose();
    }
}
