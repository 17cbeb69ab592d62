using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Couic.Cli.Api;
using Couic.Config;
using Couic.Daemon;
using Couic.Peering;
using Xunit;

namespace Couic.Tests.Peering;

/// <summary>What the operator is told of a peer that is not what the configuration takes it for.</summary>
public class PeerKindTests
{
    private const string Page = "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>";

    [Fact]
    public async Task APeerWhosePeeringIsOff_GetsChanges_IsNotCalled1x_AndIsAskedAgainSoon()
    {
        int greetings = 0, jobs = 0;
        await using var peer = StubPeer.Answering(request =>
        {
            _ = request.IsSync ? Interlocked.Increment(ref greetings) : Interlocked.Increment(ref jobs);
            return request.IsSync ? (404, $$"""{"code":"not_found","errors":{},"message":"{{PeeringService.OffMessage}}"}""") : (201, "[]");
        });
        await using var node = new RealNode(RealNode.Peer(peer.Port));
        node.Add("10.0.0.1/32");
        await RealNode.Eventually(() => jobs > 0 && node.StatusOf(peer.Port).Queued == 0, "the change arrives");
        PeerStatus status = node.StatusOf(peer.Port);
        Assert.Equal((false, PeerState.Up), (status.Plain, status.State));
        Assert.Contains("peering is off there", status.LastError, StringComparison.Ordinal);
        await RealNode.Eventually(() => greetings > 1, "it is asked again, long before the half minute of a node of 1.x");
    }

    [Fact]
    public async Task APortThatSpeaksTls_IsNamedAsSuch()
    {
        using X509Certificate2 certificate = SelfSigned();
        await using var peer = new StubPeer((_, _) => Task.FromResult(false), certificate);
        await using var node = new RealNode(RealNode.Peer(peer.Port));
        await RealNode.Eventually(
            () => node.StatusOf(peer.Port).LastError?.Contains("that port speaks TLS: set \"tls = true\"", StringComparison.Ordinal) == true, "the hint");
    }

    [Theory]
    [InlineData(400, Page, "status 400 (does that port speak TLS? set \"tls = true\")")]
    [InlineData(301, "", "status 301 (does that port speak TLS? set \"tls = true\")")]
    [InlineData(404, Page, "status 404 (from something that is not couic: does a proxy stand in between?)")]
    [InlineData(502, Page, "status 502")]
    [InlineData(400, """{"code":"bad_request","errors":{},"message":"the clocks differ\u001b[2J"}""", "status 400: the clocks differ?[2J")]
    public async Task ARefusal_IsExplained(int status, string body, string error)
    {
        await using var peer = StubPeer.Answering(_ => (status, body));
        await using var node = new RealNode(RealNode.Peer(peer.Port));
        await RealNode.Eventually(() => node.StatusOf(peer.Port).LastError == error, error);
        Assert.False(node.StatusOf(peer.Port).Plain);
    }

    [Theory]
    [InlineData("couic2.example", false, true)]
    [InlineData("192.0.2.1", false, true)]
    [InlineData("2001:db8::1", false, true)]
    [InlineData("192.0.2.1", true, false)]
    [InlineData("127.9.9.9", false, false)]
    [InlineData("::1", false, false)]
    [InlineData("::ffff:127.0.0.1", false, false)]
    [InlineData("localhost", false, false)]
    public void ATokenThatGoesInClear_IsWarnedOf(string host, bool tls, bool isWarned)
    {
        var settings = new Couic.Config.PeeringSettings
        {
            Enabled = true,
            Peers = [new Couic.Config.PeerSettings { Host = host, Port = 2900, Tls = tls, Token = Guid.NewGuid() }],
        };
        Assert.Equal(isWarned ? 1 : 0, ClearTokens.WarningsOf(settings).Count(text => text.Contains("in clear", StringComparison.Ordinal)));
        Assert.Empty(ClearTokens.WarningsOf(settings with { Enabled = false }));
    }

    [Theory]
    [InlineData(400, false, "does that port speak TLS? set \"tls = true\"")]
    [InlineData(308, false, "does that port speak TLS? set \"tls = true\"")]
    [InlineData(400, true, "does a proxy stand in between?")]
    [InlineData(502, false, "does a proxy stand in between?")]
    public void Couicctl_ThatSpeaksPlainHttpToATlsPort_SaysSo(int status, bool tls, string hint)
    {
        var endpoint = new Endpoint { Host = "couic2.example", Port = 2900, Tls = tls, Token = "", TokenFile = "" };
        Assert.Contains(hint, ApiRefusal.Explain(status, "/v1/drop", System.Text.Encoding.ASCII.GetBytes(Page), endpoint).Message, StringComparison.Ordinal);
    }

    private static X509Certificate2 SelfSigned()
    {
        using RSA key = RSA.Create(2048);
        var request = new CertificateRequest("CN=peer", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
    }
}
