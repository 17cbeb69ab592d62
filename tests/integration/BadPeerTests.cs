using System.Text.Json;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>A shipped daemon among peers that misbehave in every way: each waits alone, and the log says which and why, once.</summary>
public sealed class BadPeerTests
{
    private static readonly (string How, string Cause)[] Bad =
    [
        ("garbage", "the answer is not HTTP"),
        ("500", "status 500"),
        ("closes after the head", "the connection ended before the answer"),
        ("1 GB", "its answer is larger than 4194304 bytes"),
        ("nothing", "no answer within 5 s"),
        ("wrong certificate", "TLS failed: its certificate or name is not trusted, or it wants a certificate of ours"),
    ];

    [Fact]
    public void EachBadPeer_DelaysNoOther_AndIsLoggedOnce()
    {
        const int Rules = 500;
        using Lab lab = new();
        using Daemon good = Daemon.Start(lab, new DaemonOptions { Name = "good", Space = lab.Outside, Interfaces = [Lab.OuterInterface] });
        good.Api.Post("/v1/client", """{"name":"node","group":"peering"}""").Expect(201);
        using TcpRelay relay = new(lab.Outside, Lab.OutsideV4, 3100, good.Socket);
        using TlsProxy stranger = new(lab.Outside, lab.Scratch, "stranger", good.Socket, Lab.OutsideV4);
        BadPeer[] bad = [.. Bad.SkipLast(1).Select((b, i) => new BadPeer(lab.Outside, Lab.OutsideV4, 3001 + i, stream => Misbehave(b.How, stream)))];
        int[] ports = [.. bad.Select(b => b.Port), 2900];
        string token = good.TokenOf("node");
        string peers = string.Concat(ports.Append(3100).Select(
            port => $"[[peering.peers]]\nhost = \"{Lab.OutsideV4}\"\nport = {port}\ntls = {(port == 2900 ? "true" : "false")}\ntoken = \"{token}\"\n"));
        using Daemon node = Daemon.Start(lab, new DaemonOptions { Tables = "[peering]\nenabled = true\n" + peers });
        Eventually.Holds(() => node.Api.Get("/v1/peers").Json.GetArrayLength() == Bad.Length + 1, "peering has begun");

        string[] requests = [.. Enumerable.Range(0, Rules).Select(i => node.Api.Text("POST", "/v1/drop", ApiClient.EntryBody($"10.0.{i / 256}.{i % 256}/32")))];
        Assert.All(node.Api.Pipeline(requests), status => Assert.Equal(201, status));
        Eventually.Holds(() => Stats.Count(good, "drop") == Rules, "the good one has everything");
        foreach ((int port, string cause) in ports.Zip(Bad.Select(b => b.Cause)))
        {
            Eventually.Holds(() => PeerAt(node, port).GetProperty("last_error").GetString() == cause, $"{port}: {cause}");
            Assert.Equal(Rules, PeerAt(node, port).GetProperty("queued").GetInt32());
            Eventually.Holds(() => Lines(node, port).Length > 0, "the log names it");
            Assert.Contains($": {cause} (", Assert.Single(Lines(node, port)), StringComparison.Ordinal);
        }

        Assert.Equal(0, PeerAt(node, 3100).GetProperty("queued").GetInt32());
        Assert.Empty(Lines(node, 3100));
        Array.ForEach(bad, b => b.Dispose());
    }

    private static void Misbehave(string how, Stream stream)
    {
        switch (how)
        {
            case "garbage":
                BadPeer.Write(stream, "lorem ipsum dolor sit amet\r\n\r\n");
                break;
            case "500":
                BadPeer.Write(stream, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                break;
            case "closes after the head":
                BadPeer.Write(stream, "HTTP/1.1 200 OK\r\nContent-Length: 66\r\n\r\n");
                break;
            case "1 GB":
                BadPeer.Write(stream, "HTTP/1.1 200 OK\r\n\r\n");
                byte[] block = new byte[65536];
                for (long sent = 0; sent < 1_000_000_000; sent += block.Length)
                {
                    stream.Write(block);
                }

                break;
            default:
                Thread.Sleep(TimeSpan.FromMinutes(1));
                break;
        }
    }

    private static JsonElement PeerAt(Daemon node, int port) => node.Api.Get("/v1/peers").Expect(200).Json.EnumerateArray().Single(p => p.GetProperty("port").GetInt32() == port);

    private static string[] Lines(Daemon node, int port) =>
        [.. node.Said.Split('\n').Where(l => l.Contains($"send to peer \"{Lab.OutsideV4}:{port}\"", StringComparison.Ordinal))];
}
