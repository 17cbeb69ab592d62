using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>The API on network addresses of the built program: TLS, who may connect, certificates, restarts, and floods.</summary>
public sealed class RemoteAccessTests : IDisposable
{
    private const int Port = 2900;
    private readonly Lab _lab = new();
    private readonly List<IDisposable> _running = [];
    private readonly string _tls;

    public RemoteAccessTests()
    {
        _tls = _lab.Scratch.Folder("tls", Owner.Nobody);
        MakeCertificate();
    }

    public void Dispose()
    {
        _running.Reverse();
        _running.ForEach(r => r.Dispose());
        _lab.Dispose();
    }

    [Fact]
    public void TheAbuseSuite_HasTheSameAnswersOverTls()
    {
        Daemon daemon = Start();
        int compared = 0;
        foreach ((string section, string request, string expected) in AbuseTests.Cases.Select(c => c.Data))
        {
            // Host is required here. Where the request has one, or its bytes are counted, it stays as it is and is left out.
            bool isComparable = !request.Contains("Host", StringComparison.Ordinal) && !request.Contains("Content-Length: 2", StringComparison.Ordinal) && !request.Contains("Content_Length", StringComparison.Ordinal) && request.Length < 9_000;
            string text = request.Replace("HTTP/1.1\r\n", "HTTP/1.1\r\nHost: couic\r\n", StringComparison.Ordinal).Replace("TOKEN", daemon.Token, StringComparison.Ordinal);
            if (!isComparable || text.Length == 0)
            {
                continue;
            }

            using TlsClient client = Connect();
            client.Send(text);
            client.EndSending();
            string statuses = string.Join(' ', client.ReadToEnd().Split("HTTP/1.1 ").Skip(1).Select(answer => answer[..3]).Where(status => status != "100"));
            Assert.True(statuses == expected, $"{section}: \"{statuses}\", not \"{expected}\"");
            compared++;
        }

        Assert.InRange(compared, 60, int.MaxValue);
        Assert.Equal(200, daemon.Api.Get("/v1/status").Status);
    }

    [Fact]
    public void AReloadTakesAnotherCertificateUnderLoad_AndNoRequestFails_AndABadOneChangesNothing()
    {
        Daemon daemon = Start();
        string request = daemon.Api.Text("GET", "/v1/status");
        using var stop = new CancellationTokenSource();
        int answered = 0, opened = 0;
        Task[] clients = [.. Enumerable.Range(0, 2).Select(index => Task.Run(() =>
        {
            TlsClient client = Connect();
            for (int i = 0; !stop.IsCancellationRequested; i++)
            {
                if (index == 0 && i % 5 == 4)
                {
                    client.Dispose();
                    client = Connect();
                    Interlocked.Increment(ref opened);
                }

                Assert.StartsWith("HTTP/1.1 200 ", client.Exchange(request), StringComparison.Ordinal);
                Interlocked.Increment(ref answered);
            }

            client.Dispose();
        }))];
        string last = Fingerprint();
        for (int i = 0; i < 5; i++)
        {
            MakeCertificate();
            daemon.Api.Post("/v1/reload", "").Expect(200);
            string now = Fingerprint();
            Assert.NotEqual(last, now);
            last = now;
        }

        File.WriteAllText(Path.Combine(_tls, "key.pem"), "none");
        Answer refused = daemon.Api.Post("/v1/reload", "").Expect(422);
        Assert.Contains("server.tls: read the key", refused.Body, StringComparison.Ordinal);
        Assert.Equal(last, Fingerprint());
        Assert.Contains("the last reload of the configuration failed", daemon.Api.Get("/v1/status").Body, StringComparison.Ordinal);
        int before = Volatile.Read(ref answered);
        Eventually.Holds(() => Volatile.Read(ref answered) > before + 10 && Volatile.Read(ref opened) > 2, "requests continue");
        stop.Cancel();
        Assert.True(Task.WaitAll(clients, TimeSpan.FromSeconds(60)));
    }

    [Fact]
    public void Allow_IsApplied_AndAReloadChangesIt()
    {
        Daemon daemon = Start($"allow = [\"{Lab.OutsideV6}/128\"]");
        Assert.ThrowsAny<IOException>(() => Connect());
        using (TlsClient v6 = Connect(server: Lab.InsideV6))
        {
            Assert.StartsWith("HTTP/1.1 200 ", v6.Exchange(daemon.Api.Text("GET", "/v1/status")), StringComparison.Ordinal);
        }

        File.WriteAllText(daemon.Config, File.ReadAllText(daemon.Config).Replace($"{Lab.OutsideV6}/128", "10.77.0.0/24", StringComparison.Ordinal));
        daemon.Api.Post("/v1/reload", "").Expect(200);
        Assert.ThrowsAny<IOException>(() => Connect(server: Lab.InsideV6));
        using TlsClient v4 = Connect();
        Assert.StartsWith("HTTP/1.1 200 ", v4.Exchange(daemon.Api.Text("GET", "/v1/status")), StringComparison.Ordinal);
        Eventually.Holds(() => daemon.Said.Contains($"connection from {Lab.OutsideV4} refused: [server] allow does not name it", StringComparison.Ordinal), "the log says so");
    }

    [Fact]
    public void ARestart_ServesTheSameAddressAtOnce_AlthoughConnectionsWereOpen()
    {
        Daemon first = Start();
        using TlsClient open = Connect();
        Assert.StartsWith("HTTP/1.1 200 ", open.Exchange(first.Api.Text("GET", "/v1/status")), StringComparison.Ordinal);
        Assert.Equal(0, first.End());
        Assert.Equal(string.Empty, open.ReadToEnd());
        Daemon second = Start();
        using TlsClient again = Connect();
        Assert.StartsWith("HTTP/1.1 200 ", again.Exchange(second.Api.Text("GET", "/v1/status")), StringComparison.Ordinal);
        Shell.Result third = Product.Run(_lab.Inside, "run", "-c", Daemon.Write(_lab.Scratch, Options("other", "")));
        Assert.Equal(1, third.ExitCode);
        Assert.Contains($"couic: listen on \"[::]:{Port}\": another program listens there (stop it, or set another [server] listen)", third.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Couicctl_NamesEachTrouble()
    {
        Daemon daemon = Start($"[server.tls]\nclient_ca_file = \"{_tls}/cert.pem\"", ownTable: true);
        string pin = Fingerprint(withClient: true);
        string remote = $"mode = \"remote\"\nhost = \"{Lab.InsideV4}\"\nport = {Port}\ntls = true\ntoken = \"{daemon.Token}\"\n";
        string own = $"cert_file = \"{_tls}/cert.pem\"\nkey_file = \"{_tls}/key.pem\"\n";
        Assert.Equal((0, ""), Ctl(remote + own + $"fingerprint = \"{pin}\"\n"));
        string other = "sha256:" + new string('0', 64);
        AssertUnreachable(remote + own + $"fingerprint = \"{other}\"\n", $"its certificate has fingerprint {pin}, and {other} is expected");
        AssertUnreachable(remote + own, $"or \"fingerprint\" to {pin} if that machine shows the same");
        AssertUnreachable(remote + $"fingerprint = \"{pin}\"\n", "it refuses this machine's certificate: it wants one (set \"cert_file\" and \"key_file\")");
        AssertUnreachable(remote.Replace($"{Port}", "2999", StringComparison.Ordinal), "connection refused (is it running there");
        using var mute = new Silent(_lab.Inside);
        AssertUnreachable(remote.Replace($"{Port}", "2998", StringComparison.Ordinal), "it does not speak TLS");
        Assert.Contains("this port speaks TLS: use https", Ctl(remote.Replace("tls = true\n", "", StringComparison.Ordinal)).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AFloodOfHandshakesAndConnections_FromOneAddress_LeavesAnotherClientServed_AndMemoryBounded()
    {
        const string Other = "10.77.0.3";
        Shell.Check(_lab.Outside, "ip", "address", "add", $"{Other}/24", "dev", Lab.OuterInterface);
        Daemon daemon = Start();
        string request = daemon.Api.Text("GET", "/v1/drop/192.0.2.1/32");
        using TlsClient client = Connect(from: Other);
        Assert.StartsWith("HTTP/1.1 404 ", client.Exchange(request), StringComparison.Ordinal);
        List<Socket> idle = [];
        Process[] flood = [.. Enumerable.Range(0, 3).Select(_ => Shell.Start(
            _lab.Outside, new ProcessStartInfo("openssl", ["s_time", "-connect", $"{Lab.InsideV4}:{Port}", "-new", "-time", "3"]) { RedirectStandardOutput = true, RedirectStandardError = true }))];
        List<double> times = [];
        while (flood.Any(process => !process.HasExited))
        {
            idle.AddRange(_lab.Outside.Do(() => Enumerable.Range(0, 20).Select(_ =>
            {
                Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
                try
                {
                    socket.Connect(IPAddress.Parse(Lab.InsideV4), Port);
                }
                catch (SocketException)
                {
                    // It is under way.
                }

                return socket;
            }).ToArray()));
            long start = Stopwatch.GetTimestamp();
            Assert.StartsWith("HTTP/1.1 404 ", client.Exchange(request), StringComparison.Ordinal);
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
        }

        using (TlsClient late = Connect(from: Other))
        {
            Assert.StartsWith("HTTP/1.1 404 ", late.Exchange(request), StringComparison.Ordinal);
        }

        times.Sort();
        TestContext.Current.TestOutputHelper?.WriteLine($"{times.Count} requests, p99 {times[times.Count * 99 / 100]:0.0} ms, {idle.Count} idle connections, resident {daemon.Resident >> 20} MiB");
        Assert.InRange(times[times.Count * 99 / 100], 0, 1_000); // 100 ms on a machine that does nothing else
        Assert.InRange(daemon.Resident, 0, 256 << 20);
        idle.ForEach(socket => socket.Dispose());
    }

    private void AssertUnreachable(string config, string cause)
    {
        (int status, string error) = Ctl(config);
        Assert.Contains(cause, error, StringComparison.Ordinal);
        Assert.Equal(3, status);
    }

    private (int Status, string Error) Ctl(string config)
    {
        Shell.Result result = Product.Run(_lab.Outside, "ctl", "-c", _lab.Scratch.File("couicctl.toml", config), "status");
        return (result.ExitCode, result.Error);
    }

    private void MakeCertificate() =>
        Assert.Equal(0, Product.Run(null, "certificate", "-c", Daemon.Write(_lab.Scratch, Options("any", "")), "--name", Lab.InsideV4, "--name", Lab.InsideV6, "--out", _tls, "--force").ExitCode);

    private Daemon Start(string more = "", bool ownTable = false)
    {
        Daemon daemon = Daemon.Start(_lab, Options("couic", more, ownTable));
        _running.Add(daemon);
        return daemon;
    }

    private DaemonOptions Options(string name, string more, bool ownTable = false) => new()
    {
        Name = name,
        Tables = $"listen = [\"[::]:{Port}\"]\n{(ownTable ? more : more + "\n[server.tls]")}\ncert_file = \"{_tls}/cert.pem\"\nkey_file = \"{_tls}/key.pem\"\n",
    };

    private TlsClient Connect(string server = Lab.InsideV4, string? from = null) => new(_lab.Outside, server, from);

    private string Fingerprint(bool withClient = false)
    {
        using TlsClient client = new(_lab.Outside, Lab.InsideV4, null, withClient ? _tls : null);
        return client.Fingerprint;
    }

    /// <summary>A port that accepts, says something that is not TLS, and closes.</summary>
    private sealed class Silent : IDisposable
    {
        private readonly Socket _listener;

        public Silent(NetSpace space)
        {
            _listener = space.Do(() =>
            {
                Socket socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(new IPEndPoint(IPAddress.Any, 2998));
                socket.Listen();
                return socket;
            });
            _ = Task.Run(async () =>
            {
                using Socket client = await _listener.AcceptAsync();
                await client.SendAsync("220 hello\r\n"u8.ToArray());
            });
        }

        public void Dispose() => _listener.Dispose();
    }

    private sealed class TlsClient : IDisposable
    {
        private readonly Socket _socket;
        private readonly SslStream _stream;

        public TlsClient(NetSpace space, string server, string? from, string? certificate = null)
        {
            IPAddress address = IPAddress.Parse(server);
            _socket = space.Do(() =>
            {
                Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveTimeout = 60_000, SendTimeout = 60_000 };
                if (from != null)
                {
                    socket.Bind(new IPEndPoint(IPAddress.Parse(from), 0));
                }

                socket.Connect(address, Port);
                return socket;
            });
            _stream = new SslStream(new NetworkStream(_socket));
            SslClientAuthenticationOptions options = new()
            {
                TargetHost = server,
                RemoteCertificateValidationCallback = (_, seen, _, _) =>
                {
                    Fingerprint = "sha256:" + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(seen?.GetRawCertData() ?? []));
                    return seen != null; // tests compare the fingerprint
                },
            };
            if (certificate != null)
            {
                options.ClientCertificates = [System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPemFile($"{certificate}/cert.pem", $"{certificate}/key.pem")];
            }

            try
            {
                _stream.AuthenticateAsClient(options);
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        public string Fingerprint { get; private set; } = "";

        public void Send(string text) => _stream.Write(Encoding.Latin1.GetBytes(text));

        public void EndSending()
        {
            _stream.ShutdownAsync().GetAwaiter().GetResult();
            _socket.Shutdown(SocketShutdown.Send);
        }

        /// <summary>Sends a request and returns the beginning of its answer.</summary>
        public string Exchange(string request)
        {
            Send(request);
            byte[] answer = new byte[64 * 1024];
            int length = 0, body = -1;
            while (body < 0 || length < body)
            {
                int n = _stream.Read(answer.AsSpan(length));
                Assert.True(n > 0, "the connection ended");
                length += n;
                string text = Encoding.ASCII.GetString(answer, 0, length);
                int end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
                if (end >= 0)
                {
                    int at = text.IndexOf("content-length: ", StringComparison.Ordinal) + 16;
                    body = end + 4 + int.Parse(text[at..text.IndexOf('\r', at)], null);
                }
            }

            return Encoding.ASCII.GetString(answer, 0, length);
        }

        public string ReadToEnd()
        {
            using MemoryStream all = new();
            try
            {
                _stream.CopyTo(all);
            }
            catch (IOException)
            {
                // reset: what came before it counts
            }

            return Encoding.Latin1.GetString(all.ToArray());
        }

        public void Dispose()
        {
            _stream.Dispose();
            _socket.Dispose();
        }
    }
}
