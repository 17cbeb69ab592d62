using System.Net.Sockets;
using System.Text;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>What thousands of connections of one process may take of the daemon's memory, and that another client is served beside them.</summary>
public sealed class AttackTests : IDisposable
{
    private const int Connections = 4_000;
    private const int Rules = 60_000;

    /// <summary>What they share while they wait (4 MiB here), four requests at work, two lists, and the connections themselves.</summary>
    private const long MostMegabytes = 64;

    private readonly Lab _lab = new();

    [Theory]
    [InlineData("heads")]
    [InlineData("bodies")]
    [InlineData("readers")]
    [InlineData("lists")]
    [InlineData("pages")]
    [InlineData("flood")]
    public void ThousandsOfConnectionsTakeABoundedMemoryAndOthersAreServed(string kind)
    {
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Tables = "[limits]\nconnection_memory_bytes = 4194304" });
        daemon.Api.Post("/v1/drop/bulk", $"[{string.Join(',', Enumerable.Range(0, Rules).Select(i => ApiClient.EntryBody($"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}/32")))}]").Expect(200);
        Eventually.Holds(() => daemon.Resident < 100 << 20, "what filling the table took is given back");
        File.WriteAllText($"/proc/{daemon.Process.Id}/clear_refs", "5"); // proc(5): VmHWM starts again
        long before = Peak(daemon);

        byte[] text = Encoding.ASCII.GetBytes(Text(kind, daemon.Api));
        var held = new List<Socket>();
        try
        {
            for (int round = 0; round < 3; round++)
            {
                Attack(daemon, text, held);
                daemon.Api.Get("/v1/drop/10.0.0.1/32").Expect(200);
            }

            Thread.Sleep(1500);
            daemon.Api.Get("/v1/drop/10.0.0.1/32").Expect(200);
            Assert.InRange(Peak(daemon) - before, 0, MostMegabytes);
        }
        finally
        {
            held.ForEach(socket => socket.Dispose());
        }
    }

    [Fact]
    public void MaxConnections_EvictsFromTheLargestClient_NotFromASmallOne()
    {
        using Daemon daemon = Daemon.Start(_lab, new DaemonOptions { Tables = "[limits]\nmax_connections = 100" });
        daemon.Api.Add("drop", "10.0.0.1/32");
        byte[] text = Encoding.ASCII.GetBytes(Text("readers", daemon.Api));
        var held = new List<Socket>();
        using var isOver = new CancellationTokenSource();
        var attack = Task.Run(() =>
        {
            while (!isOver.IsCancellationRequested)
            {
                Attack(daemon, text, held, 200); // never waits for a request, as its answers wait for it
            }
        }, TestContext.Current.CancellationToken);
        try
        {
            // Two other processes: one keeps its connection, one connects for each request.
            const string Client = """
                import http.client, socket, sys, time
                path, token, kept = sys.argv[1], sys.argv[2], sys.argv[3] == "kept"
                def connect():
                    one = http.client.HTTPConnection("localhost")
                    one.sock = socket.socket(socket.AF_UNIX)
                    one.sock.settimeout(10)
                    one.sock.connect(path)
                    return one
                one, failed = connect(), 0
                for i in range(40):
                    try:
                        one.request("GET", "/v1/drop/10.0.0.1/32", headers={"Authorization": "Bearer " + token})
                        answer = one.getresponse()
                        answer.read()
                        failed += answer.status != 200
                    except OSError:
                        failed += 1
                        one = connect()
                    time.sleep(0.05)
                    if not kept:
                        one = connect()
                print(failed)
                """;
            Eventually.Holds(() => daemon.Said.Contains("api_connections_full", StringComparison.Ordinal), "there is no room left");
            Task<Shell.Result>[] others = [.. new[] { "kept", "again" }.Select(way =>
                Task.Run(() => Shell.Run("python3", "-c", Client, daemon.Socket, daemon.Token, way)))];
            Assert.All(others, other => Assert.Equal(new Shell.Result(0, "0\n", ""), other.Result));
        }
        finally
        {
            isOver.Cancel();
            attack.Wait(TestContext.Current.CancellationToken);
            held.ForEach(socket => socket.Dispose());
        }
    }

    public void Dispose() => _lab.Dispose();

    private static string Text(string kind, ApiClient api) => kind switch
    {
        "heads" => "GET /v1/drop HTTP/1.1\r\nX: " + new string('x', 6_000),
        "bodies" => api.Text("POST", "/v1/drop/bulk", "[" + ApiClient.EntryBody("10.0.0.1/32") + "," + new string(' ', 100_000))[..50_000],
        "readers" => string.Concat(Enumerable.Repeat(api.Text("GET", "/v1/metrics?format=prometheus"), 100)),
        "lists" => api.Text("GET", "/v1/drop"),
        "pages" => string.Concat(Enumerable.Repeat(api.Text("GET", "/v1/drop?limit=1000"), 3)),
        _ => string.Concat(Enumerable.Repeat(api.Text("GET", "/v1/drop/10.0.0.1/32"), 50)),
    };

    /// <summary>Opens what is missing, sends, and reads nothing.</summary>
    private static void Attack(Daemon daemon, byte[] text, List<Socket> held, int connections = Connections)
    {
        held.RemoveAll(socket =>
        {
            bool isClosed = socket.Poll(0, SelectMode.SelectRead) && socket.Available == 0;
            if (isClosed)
            {
                socket.Dispose();
            }

            return isClosed;
        });
        while (held.Count < connections)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            held.Add(socket);
            socket.Connect(new UnixDomainSocketEndPoint(daemon.Socket));
            socket.Blocking = false;
        }

        foreach (Socket socket in held)
        {
            socket.Send(text, SocketFlags.None, out SocketError error); // whatever there is room for
            if (error is not (SocketError.Success or SocketError.WouldBlock))
            {
                socket.Dispose();
            }
        }

        held.RemoveAll(socket => socket.SafeHandle.IsClosed);
    }

    private static long Peak(Daemon daemon) => long.Parse(
        File.ReadLines($"/proc/{daemon.Process.Id}/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) / 1024;
}
