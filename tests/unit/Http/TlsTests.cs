using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Couic.Daemon;
using Couic.Http;
using Couic.Native;
using Couic.Tests.Api;
using Xunit;

namespace Couic.Tests.Http;

/// <summary>TLS between the framework's client and the server. Old versions, ciphers and full sockets: <see cref="Native.TlsSessionTests"/>.</summary>
public sealed class TlsTests
{
    private static readonly (string Certificate, string Key, byte[] Der) Own = SelfSigned.Make(["couic.test", "127.0.0.1"], TimeSpan.FromDays(1), DateTimeOffset.UtcNow);

    internal static TlsContext Context(string? clients = null) =>
        TlsContext.Create(Encoding.ASCII.GetBytes(Own.Certificate), Encoding.ASCII.GetBytes(Own.Key), clients is null ? [] : Encoding.ASCII.GetBytes(clients));

    private static RawClient Connect(ApiRig rig, SslClientAuthenticationOptions? options = null, string from = "127.0.0.1", int receiveBuffer = 0) =>
        new(new IPEndPoint(IPAddress.Loopback, rig.Port), stream => Authenticate(stream, options ?? new()), IPAddress.Parse(from), receiveBuffer);

    private static SslStream Authenticate(Stream stream, SslClientAuthenticationOptions options)
    {
        options.TargetHost ??= "couic.test";
        options.RemoteCertificateValidationCallback ??= (_, certificate, _, _) => certificate!.GetRawCertData().AsSpan().SequenceEqual(Own.Der);
        var tls = new SslStream(stream);
        tls.AuthenticateAsClient(options);
        return tls;
    }

    [Theory]
    [InlineData(SslProtocols.Tls12)]
    [InlineData(SslProtocols.Tls13)]
    public async Task ARequest_IsAnswered_InBothVersions(SslProtocols version)
    {
        using var rig = new ApiRig(tls: Context());
        SslStream? session = null;
        using var client = new RawClient(
            new IPEndPoint(IPAddress.Loopback, rig.Port), stream => session = Authenticate(stream, new() { EnabledSslProtocols = version }));
        for (int i = 0; i < 3; i++)
        {
            await client.SendAsync(rig.Request("GET", "/v1/status"));
            Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
        }

        Assert.Equal(version, session!.SslProtocol);
        Assert.Contains("ECDHE", version == SslProtocols.Tls12 ? session.NegotiatedCipherSuite.ToString() : "ECDHE", StringComparison.Ordinal);
        Assert.Equal(1, rig.Server.HandshakeCounts.Established);
    }

    [Fact]
    public async Task LargeBodiesAndAnswers_ArriveWhole()
    {
        using var rig = new ApiRig(tls: Context());
        using RawClient client = Connect(rig, receiveBuffer: 4096);
        string items = "[" + string.Join(',', Enumerable.Range(0, 20_000).Select(i => $"[\"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}/32\",\"t\",0]")) + "]";
        await client.SendAsync(rig.Request("POST", "/v1/drop/bulk", items));
        Answer added = await client.ReadAnswerAsync();
        Assert.Equal(200, added.Status);
        await client.SendAsync(rig.Request("GET", "/v1/drop"));
        Answer list = await client.ReadAnswerAsync();
        Assert.Equal(200, list.Status);
        Assert.Equal(20_000, list.Body.Split("/32\"").Length - 1);
    }

    [Fact]
    public async Task ManyRequestsInOneRecord_AndOneRequestInManyRecords_AreAnswered()
    {
        using var rig = new ApiRig(tls: Context());
        using RawClient client = Connect(rig);
        string request = rig.Request("GET", "/v1/drop/192.0.2.7/32");
        await client.SendAsync(string.Concat(Enumerable.Repeat(request, 60)));
        foreach (byte b in Encoding.ASCII.GetBytes(request))
        {
            await client.SendAsync(new[] { b });
        }

        for (int i = 0; i < 61; i++)
        {
            Assert.Equal(404, (await client.ReadAnswerAsync()).Status);
        }
    }

    [Fact]
    public async Task TheEndOfTheClient_EndsTheConnection_WithAllAnswers()
    {
        using var rig = new ApiRig(tls: Context());
        SslStream? session = null;
        using var client = new RawClient(new IPEndPoint(IPAddress.Loopback, rig.Port), stream => session = Authenticate(stream, new()));
        await client.SendAsync(rig.Request("GET", "/v1/status"));
        await session!.ShutdownAsync();
        client.Socket.Shutdown(SocketShutdown.Send);
        Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
        Assert.True(await client.IsClosedAsync());
        await ApiRig.WaitForAsync(() => rig.Server.ConnectionCount == 0);
    }

    [Fact]
    public async Task PlainHttp_OnTheTlsPort_IsTold()
    {
        using var rig = new ApiRig(tls: Context());
        using var client = new RawClient(new IPEndPoint(IPAddress.Loopback, rig.Port));
        await client.SendAsync(rig.Request("GET", "/v1/status"));
        Answer answer = await client.ReadAnswerAsync();
        Assert.Equal(400, answer.Status);
        Assert.Contains("this port speaks TLS", answer.Body, StringComparison.Ordinal);
        Assert.True(await client.IsClosedAsync());
    }

    [Theory]
    [InlineData("")]
    [InlineData("160301")]
    [InlineData("16030100050100400000")] // announces a first message of 4 MiB
    [InlineData("160301000100")]
    [InlineData("00112233445566778899")]
    [InlineData("16030100640200006000")]
    [InlineData("1603010064010000600303")]
    public async Task AHandshakeThatStalls_OrIsNone_EndsInTime_AndHoldsUpNoOther(string hex)
    {
        using var rig = new ApiRig(new HttpLimits { HandshakeTimeout = TimeSpan.FromMilliseconds(400) }, tls: Context());
        var stalled = new List<RawClient>();
        for (int i = 0; i < 50; i++)
        {
            stalled.Add(new RawClient(new IPEndPoint(IPAddress.Loopback, rig.Port)));
            await stalled[i].SendAsync(Convert.FromHexString(hex));
        }

        using RawClient other = Connect(rig, from: "127.0.0.2");
        await other.SendAsync(rig.Request("GET", "/v1/status"));
        Assert.Equal(200, (await other.ReadAnswerAsync()).Status);
        foreach (RawClient client in stalled)
        {
            await client.ReadToEndAsync();
            client.Dispose();
        }

        await ApiRig.WaitForAsync(() => rig.Server.HandshakeCounts is var (_, failed, late) && failed + late == 50);
        Assert.Equal(1, rig.Server.ConnectionCount);
    }

    [Fact]
    public async Task AnAddressWithTooManyHandshakes_IsRefusedMore_AndOthersAreNot()
    {
        using var rig = new ApiRig(tls: Context());
        var stalled = new List<RawClient>();
        for (int i = 0; i < Handshakes.MaxPendingPerCaller; i++)
        {
            stalled.Add(new RawClient(new IPEndPoint(IPAddress.Loopback, rig.Port), from: IPAddress.Parse("127.0.0.9")));
        }

        using (var more = new RawClient(new IPEndPoint(IPAddress.Loopback, rig.Port), from: IPAddress.Parse("127.0.0.9")))
        {
            Assert.True(await more.IsClosedAsync());
        }

        using RawClient other = Connect(rig, from: "127.0.0.2");
        await other.SendAsync(rig.Request("GET", "/v1/status"));
        Assert.Equal(200, (await other.ReadAnswerAsync()).Status);
        stalled.ForEach(client => client.Dispose());
    }

    [Fact]
    public async Task WhenTooManyHandshakesWait_TheAddressWithMostLosesItsOldest()
    {
        using var rig = new ApiRig(tls: Context());
        var stalled = new List<RawClient>();
        for (int i = 0; i < Handshakes.MaxPending; i++)
        {
            stalled.Add(new RawClient(new IPEndPoint(IPAddress.Loopback, rig.Port), from: IPAddress.Parse($"127.0.1.{1 + (i % 5)}")));
        }

        using RawClient other = Connect(rig, from: "127.0.0.2");
        await other.SendAsync(rig.Request("GET", "/v1/status"));
        Assert.Equal(200, (await other.ReadAnswerAsync()).Status);
        Assert.True(await stalled[0].IsClosedAsync());
        stalled.ForEach(client => client.Dispose());
    }

    [Fact]
    public async Task ClientCertificates_AreRequired_WhenAuthoritiesAreGiven()
    {
        (string good, string key, _) = SelfSigned.Make(["client"], TimeSpan.FromDays(1), DateTimeOffset.UtcNow);
        (string bad, string badKey, _) = SelfSigned.Make(["client"], TimeSpan.FromDays(1), DateTimeOffset.UtcNow);
        using var rig = new ApiRig(tls: Context(clients: good));
        using (RawClient client = Connect(rig, new() { ClientCertificates = [X509Certificate2.CreateFromPem(good, key)] }))
        {
            await client.SendAsync(rig.Request("GET", "/v1/status"));
            Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
        }

        foreach (X509CertificateCollection certificates in new X509CertificateCollection[] { [], [X509Certificate2.CreateFromPem(bad, badKey)] })
        {
            // In TLS 1.3 the client learns of it with its first read.
            await Assert.ThrowsAnyAsync<Exception>(async () =>
            {
                using RawClient client = Connect(rig, new() { ClientCertificates = certificates });
                await client.SendAsync(rig.Request("GET", "/v1/status"));
                await client.ReadAnswerAsync();
            });
        }

        await ApiRig.WaitForAsync(() => rig.Server.HandshakeCounts is { Established: 1, Failed: 2 });
    }

    [Fact]
    public async Task AnotherCertificate_IsForNewConnections_AndOpenOnesContinue()
    {
        using var rig = new ApiRig(tls: Context());
        using RawClient before = Connect(rig);
        (string certificate, string key, byte[] der) = SelfSigned.Make(["couic.test"], TimeSpan.FromDays(1), DateTimeOffset.UtcNow);
        rig.Server.Tls = TlsContext.Create(Encoding.ASCII.GetBytes(certificate), Encoding.ASCII.GetBytes(key), []);
        using RawClient after = Connect(rig, new() { RemoteCertificateValidationCallback = (_, seen, _, _) => seen!.GetRawCertData().AsSpan().SequenceEqual(der) });
        foreach (RawClient client in new[] { before, after })
        {
            await client.SendAsync(rig.Request("GET", "/v1/status"));
            Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
        }
    }

    [Fact]
    public async Task ASlowReader_GetsItsLongAnswerWhole()
    {
        using var rig = new ApiRig(tls: Context());
        using RawClient client = Connect(rig);
        string items = "[" + string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"[\"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}/32\",\"t\",0]")) + "]";
        await client.SendAsync(rig.Request("POST", "/v1/drop/bulk", items));
        Assert.Equal(200, (await client.ReadAnswerAsync()).Status);
        await client.SendAsync(rig.Request("GET", "/v1/drop"));
        await ApiRig.WaitForAsync(() => client.Socket.Available > 1_000); // far less than the answer fits, so the server has to wait
        Assert.Equal(100_000, (await client.ReadAnswerAsync()).Body.Split("/32\"").Length - 1);
    }

    [Theory]
    [InlineData("", "x", "read the certificate")]
    [InlineData("own", "", "read the key")]
    [InlineData("own", "other", "use the key: key values mismatch")]
    public void WhatTheLibraryRefuses_IsNamed(string certificate, string key, string fault)
    {
        string pem = key switch { "other" => SelfSigned.Make(["a"], TimeSpan.FromDays(1), DateTimeOffset.UtcNow).Key, "own" => Own.Key, _ => key };
        InvalidDataException e = Assert.Throws<InvalidDataException>(() =>
            TlsContext.Create(Encoding.ASCII.GetBytes(certificate == "own" ? Own.Certificate : certificate), Encoding.ASCII.GetBytes(pem), []));
        Assert.StartsWith(fault, e.Message, StringComparison.Ordinal);
    }
}
