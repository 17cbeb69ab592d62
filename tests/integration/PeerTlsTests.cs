using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Whom a node trusts and what it shows: nginx with TLS in front of the second of two nodes.</summary>
public sealed class PeerTlsTests : IDisposable
{
    private const string NotTrusted = "TLS failed: its certificate or name is not trusted, or it wants a certificate of ours";

    private readonly Lab _lab = new();
    private readonly List<IDisposable> _running = [];
    private readonly Daemon _two;
    private readonly string _token;

    public PeerTlsTests()
    {
        _two = Kept(Daemon.Start(_lab, new DaemonOptions { Name = "couic2", Space = _lab.Outside, Interfaces = [Lab.OuterInterface] }));
        _two.Api.Post("/v1/client", """{"name":"couic1","group":"peering"}""").Expect(201);
        _token = _two.TokenOf("couic1");
    }

    [Fact]
    public void ACertificateIsShownToAPeerThatWantsOne()
    {
        using Authority clients = new(_lab.Scratch, "clients");
        using Authority strangers = new(_lab.Scratch, "strangers");
        TlsProxy proxy = Proxy(Lab.OutsideV4, more: $"ssl_verify_client on; ssl_client_certificate {clients.File};");
        string trusting = $"ca_file = \"{proxy.Authority}\"\n";

        Daemon one = Start(trusting);
        one.Api.Add("drop", "198.51.100.1/32");
        Assert.Equal("status 400", LastError(one)); // nginx: "No required SSL certificate was sent"

        Reconfigure(one, trusting + Files(strangers.Issue("stranger", ["couic1"])));
        Assert.Equal("status 400", LastError(one)); // nginx: "The SSL certificate error"
        Assert.Equal(0, Stats.Count(_two, "drop"));

        Reconfigure(one, trusting + Files(clients.Issue("couic1", ["couic1"])));
        Eventually.Holds(() => Stats.Count(_two, "drop") == 1, "the rule is there");
    }

    [Fact]
    public void TheSystemsRootsCountWhereNoFileIsNamed()
    {
        TlsProxy proxy = Proxy(Lab.OutsideV4);
        Daemon one = Start("", new() { ["SSL_CERT_FILE"] = proxy.Authority });
        one.Api.Add("drop", "198.51.100.1/32");
        Eventually.Holds(() => Stats.Count(_two, "drop") == 1, "the rule is there");
    }

    [Fact]
    public void AnAuthorityThatTheSystemDoesNotKnowIsNotTrusted()
    {
        Proxy(Lab.OutsideV4);
        AssertRefused(Start(""));
    }

    [Fact]
    public void ACertificateForAnotherNameIsNotTrusted() => AssertRefused(Start($"ca_file = \"{Proxy("192.0.2.1").Authority}\"\n"));

    [Fact]
    public void AnExpiredCertificateIsNotTrusted() => AssertRefused(Start($"ca_file = \"{Proxy(Lab.OutsideV4, isExpired: true).Authority}\"\n"));

    public void Dispose()
    {
        _running.Reverse();
        _running.ForEach(r => r.Dispose());
        _lab.Dispose();
    }

    private void AssertRefused(Daemon one)
    {
        Assert.Equal(NotTrusted, LastError(one));
        one.Api.Add("drop", "198.51.100.1/32");
        Assert.Equal(0, Stats.Count(_two, "drop"));
        Assert.Equal(1, Peers(one).Single().Queued);
        Eventually.Holds(
            () => one.Said.Contains($"send to peer \"{Lab.OutsideV4}:2900\": {NotTrusted} (", StringComparison.Ordinal), "the log says so");
    }

    private static string LastError(Daemon daemon)
    {
        string? error = null;
        Eventually.Holds(() => (error = Peers(daemon).SingleOrDefault()?.LastError) is not null, "a failure is reported");
        return error!;
    }

    private static IEnumerable<Peer> Peers(Daemon daemon) => daemon.Api.Get("/v1/peers").Expect(200).Json.EnumerateArray()
        .Select(p => new Peer(p.GetProperty("last_error").GetString(), p.GetProperty("queued").GetInt32()));

    private static string Files((string Certificate, string Key) files) => $"cert_file = \"{files.Certificate}\"\nkey_file = \"{files.Key}\"\n";

    private TlsProxy Proxy(string certificateFor, bool isExpired = false, string more = "") =>
        Kept(new TlsProxy(_lab.Outside, _lab.Scratch, "proxy", _two.Socket, certificateFor, isExpired, more));

    private DaemonOptions One(string tls) => new()
    {
        Name = "couic1",
        Tables = $"""
            [peering]
            enabled = true

            [[peering.peers]]
            host = "{Lab.OutsideV4}"
            port = 2900
            tls = true
            token = "{_token}"
            {tls}
            """,
    };

    private Daemon Start(string tls, Dictionary<string, string>? environment = null) =>
        Kept(Daemon.Start(_lab, One(tls) with { Environment = environment ?? [] }));

    private void Reconfigure(Daemon one, string tls)
    {
        Daemon.Write(_lab.Scratch, One(tls));
        one.Api.Post("/v1/reload", "").Expect(200);
    }

    private T Kept<T>(T running)
        where T : IDisposable
    {
        _running.Add(running);
        return running;
    }

    private sealed record Peer(string? LastError, int Queued);
}
