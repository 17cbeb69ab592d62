using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Couic.Peering;
using Xunit;

namespace Couic.Tests.Peering;

/// <summary>A peer that misbehaves waits alone: the good one beside it gets everything, and the log says why, once.</summary>
public class BadPeerTests
{
    [Theory]
    [InlineData("garbage", "the answer is not HTTP")]
    [InlineData("500", "status 500")]
    [InlineData("closes after the head", "the connection ended before the answer")]
    [InlineData("closes at once", "the connection ended before the answer")]
    [InlineData("1 GB", "larger than")]
    [InlineData("1 GB of head", "the head of the answer is too large")]
    [InlineData("nonsense", "the answer is not valid")]
    [InlineData("401", "401")]
    [InlineData("nothing", "no answer within 5 s", 1)]
    [InlineData("wrong certificate", "TLS failed: its certificate or name is not trusted, or it wants a certificate of ours")]
    public async Task ABadPeerWaitsAlone(string how, string cause, int tries = 3)
    {
        var watch = System.Diagnostics.Stopwatch.StartNew();
        bool tls = how == "wrong certificate";
        using X509Certificate2? certificate = tls ? SelfSigned("other.example") : null;
        await using var bad = new StubPeer((_, stream) => MisbehaveAsync(how, stream), certificate);
        await using var good = new PlainPeer();
        await using var node = new RealNode(RealNode.Peer(bad.Port, tls), RealNode.Peer(good.Port));
        for (int i = 0; i < 200; i++)
        {
            node.Add($"10.0.0.{i}/32");
        }

        await RealNode.Eventually(() => good.Rules.Count == 200, "the good one has all");
        if (how == "nothing")
        {
            Assert.Equal(0, node.StatusOf(bad.Port).Counters.Failures); // its first answer is still waited for
        }

        await RealNode.Eventually(() => node.StatusOf(bad.Port).Counters.Failures >= tries, "the bad one was tried some times");
        await RealNode.Eventually(
            () => node.StatusOf(bad.Port).LastError!.Contains(cause, StringComparison.Ordinal), $"\"{cause}\", not \"{node.StatusOf(bad.Port).LastError}\"");
        Assert.Equal(200, node.StatusOf(bad.Port).Queued);
        string[] lines = [.. node.Log.Warnings.Where(l => l.StartsWith($"send to peer \"127.0.0.1:{bad.Port}\": ", StringComparison.Ordinal))];
        Assert.InRange(lines.Length, 1, 1 + (int)watch.Elapsed.TotalMinutes);
    }

    [Theory]
    [InlineData("localhost", true, null)]
    [InlineData("localhost", false, "TLS failed: its certificate or name is not trusted, or it wants a certificate of ours")]
    [InlineData("other.example", true, "TLS failed: its certificate or name is not trusted, or it wants a certificate of ours")]
    public async Task ACertificateIsVerifiedWithItsName(string name, bool trusted, string? fault)
    {
        using X509Certificate2 certificate = SelfSigned(name);
        string authority = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(authority, certificate.ExportCertificatePem(), TestContext.Current.CancellationToken);
            await using var peer = new StubPeer(
                async (_, stream) =>
                {
                    await StubPeer.WriteAsync(stream, "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
                    return true;
                },
                certificate);
            await using var node = new RealNode(RealNode.Peer(peer.Port, tls: true, "localhost", trusted ? authority : null));
            await RealNode.Eventually(() => node.StatusOf(peer.Port) is { LastError: not null } or { State: PeerState.Up }, "an outcome");
            Assert.Equal(fault, node.StatusOf(peer.Port).LastError);
        }
        finally
        {
            File.Delete(authority);
        }
    }

    /// <summary>A handshake is tried every 250 ms, however long the peer was away, and the queue follows it at once.</summary>
    [Fact]
    public async Task APeerThatIsBack_GetsItsQueueWithinASecond()
    {
        int port;
        await using (var reserved = new StubPeer((_, _) => Task.FromResult(false)))
        {
            port = reserved.Port;
        }

        await using var node = new RealNode(RealNode.Peer(port));
        node.Add("10.0.0.1/32");
        await RealNode.Eventually(() => node.StatusOf(port).State == PeerState.Unreachable, "it is noticed");
        Assert.Equal("connection refused", node.StatusOf(port).LastError);
        await Task.Delay(3_000, TestContext.Current.CancellationToken); // by now a back-off that doubles would be at seconds

        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        await using var back = new PlainPeer(port);
        await RealNode.Eventually(() => back.Rules.Count == 1, "it has the rule");
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(start), TimeSpan.Zero, TimeSpan.FromSeconds(2)); // a busy machine has twice the time
    }

    private static X509Certificate2 SelfSigned(string name)
    {
        using RSA key = RSA.Create(2048);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(name);
        request.CertificateExtensions.Add(names.Build());
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
    }

    private static async Task<bool> MisbehaveAsync(string how, Stream stream)
    {
        switch (how)
        {
            case "garbage":
                await StubPeer.WriteAsync(stream, "lorem ipsum dolor sit amet\r\n\r\n");
                return false;
            case "500":
                await StubPeer.WriteAsync(stream, "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n");
                return true;
            case "401":
                await StubPeer.WriteAsync(stream, "HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n");
                return true;
            case "closes after the head":
                await StubPeer.WriteAsync(stream, "HTTP/1.1 200 OK\r\ncontent-length: 58\r\n\r\n");
                return false;
            case "nonsense":
                await StubPeer.WriteAsync(stream, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
                return true;
            case "nothing":
                await Task.Delay(TimeSpan.FromMinutes(5));
                return false;
            case "1 GB":
                await StubPeer.WriteAsync(stream, "HTTP/1.1 200 OK\r\n\r\n");
                return await FloodAsync(stream, new byte[65_536]);
            case "1 GB of head":
                await StubPeer.WriteAsync(stream, "HTTP/1.1 200 OK\r\n");
                return await FloodAsync(stream, System.Text.Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", 1_000))));
            default:
                return false;
        }
    }

    private static async Task<bool> FloodAsync(Stream stream, byte[] block)
    {
        for (long sent = 0; sent < 1_000_000_000; sent += block.Length)
        {
            await stream.WriteAsync(block);
        }

        return false;
    }
}
