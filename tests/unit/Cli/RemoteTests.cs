using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Couic.Cli.Api;
using Xunit;

namespace Couic.Tests.Cli;

/// <summary>A daemon behind a port, with and without TLS.</summary>
public sealed class RemoteTests : IDisposable
{
    private readonly CliRig _rig = new();
    private readonly Authority _authority = new();
    private StubDaemon? _remote;

    public void Dispose()
    {
        _remote?.Dispose();
        _authority.Dispose();
        _rig.Dispose();
    }

    [Fact]
    public void WithoutTlsTheTokenGoesToThePort()
    {
        Serve(null, "localhost", "");
        Assert.Equal(new CliResult(0, "1.2.3.4/32\n", ""), _rig.Run("drop list -q"));
        Assert.Equal("Bearer " + CliRig.Token, _remote!.Requests[0].Headers["Authorization"]);
        Assert.Equal($"localhost:{_remote.Port}", _remote.Requests[0].Headers["Host"]);
    }

    [Theory]
    [InlineData("localhost")]
    [InlineData("127.0.0.1")]
    public void ACertificateOfTheAuthorityIsTrusted(string name)
    {
        Serve(_authority.Issue(name), name, TlsWithAuthority());
        Assert.Equal(new CliResult(0, "1.2.3.4/32\n", ""), _rig.Run("drop list -q"));
    }

    [Fact]
    public void TheSystemsAuthoritiesDoNotKnowOurs()
    {
        Serve(_authority.Issue("localhost"), "localhost", "tls = true\n");
        CliResult result = Refused();
        Assert.Matches("its certificate is not trusted: (the authority that signed it is unknown|signed by an unknown authority)", result.Error);
        Assert.Contains("(set \"ca_file\" to the authority that signed it, or \"host\" to its name, or \"fingerprint\" to sha256:", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AnotherAuthorityIsNotTrusted()
    {
        using var other = new Authority("another authority");
        Serve(other.Issue("localhost"), "localhost", TlsWithAuthority());
        Assert.Contains("its certificate is not trusted: ", Refused().Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AnotherNameIsNotTrusted()
    {
        Serve(_authority.Issue("elsewhere.example"), "localhost", TlsWithAuthority());
        Assert.Contains("its certificate is for another name (subject \"CN=elsewhere.example\", for elsewhere.example)", Refused().Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AnExpiredCertificateIsNotTrusted()
    {
        Serve(_authority.Issue("localhost", isExpired: true), "localhost", TlsWithAuthority());
        Assert.Contains("it has expired or is not valid yet", Refused().Error, StringComparison.Ordinal);
    }

    [Fact]
    public void APinnedCertificateIsTrusted_WhateverItsNameAndDates_AndNoOther()
    {
        X509Certificate2 pinned = _authority.Issue("elsewhere.example", isExpired: true);
        string fingerprint = Couic.Config.Fingerprint.Of(pinned.RawData);
        Serve(pinned, "localhost", $"tls = true\nfingerprint = \"{fingerprint}\"\n");
        Assert.Equal(new CliResult(0, "1.2.3.4/32\n", ""), _rig.Run("drop list -q"));

        _remote!.Dispose();
        X509Certificate2 other = _authority.Issue("localhost");
        Serve(other, "localhost", $"tls = true\nfingerprint = \"{fingerprint}\"\n");
        Assert.Contains($"its certificate has fingerprint {Couic.Config.Fingerprint.Of(other.RawData)}, and {fingerprint} is expected", Refused().Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("fingerprint = \"sha256:12\"\ntls = true", "fingerprint = \"sha256:12\" is not a fingerprint")]
    [InlineData("fingerprint = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"", "fingerprint without tls = true")]
    [InlineData("cert_file = \"/c\"\ntls = true", "cert_file and key_file belong together")]
    [InlineData("ca_file = \"/c\"\ntls = true\nfingerprint = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"", "fingerprint and ca_file exclude each other")]
    public void FaultsOfThePin_AreNamed(string lines, string fault)
    {
        Serve(null, "localhost", lines + "\n");
        CliResult result = _rig.Run("drop list");
        Assert.Equal(1, result.Status);
        Assert.Contains(fault, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void TheServerOption_NamesTheDaemon_AndTheFilesTokenGoesToItsOwnDaemonOnly()
    {
        X509Certificate2 certificate = _authority.Issue("localhost");
        Serve(certificate, "localhost", TlsWithAuthority());
        string own = $"https://localhost:{_remote!.Port}";
        Assert.Equal(new CliResult(0, "1.2.3.4/32\n", ""), _rig.Run($"drop list -q --server {own}"));
        Assert.Equal("Bearer " + CliRig.Token, _remote.Requests[0].Headers["Authorization"]);

        CliResult other = _rig.Run($"drop list -q --server https://127.0.0.1:{_remote.Port}");
        Assert.Equal($"couicctl: no token for https://127.0.0.1:{_remote.Port} (set COUICCTL_TOKEN, or host, port and token in {_rig.ConfigFile})\n", other.Error);

        _rig.Environment["COUICCTL_SERVER"] = $"https://127.0.0.1:{_remote.Port}";
        _rig.Environment["COUICCTL_TOKEN"] = "11111111-2222-3333-4444-555555555555";
        _rig.Environment["COUICCTL_FINGERPRINT"] = Couic.Config.Fingerprint.Of(certificate.RawData);
        Assert.Equal(new CliResult(0, "1.2.3.4/32\n", ""), _rig.Run("drop list -q"));
        Assert.Equal("Bearer 11111111-2222-3333-4444-555555555555", _remote.Requests[1].Headers["Authorization"]);
    }

    [Theory]
    [InlineData("ftp://a", "is not the address of a daemon")]
    [InlineData("https://a/path", "is not the address of a daemon")]
    [InlineData("https://user@a", "is not the address of a daemon")]
    [InlineData("a:2900", "is not the address of a daemon")]
    [InlineData("http://192.0.2.1:2900", "the token would travel in clear (https://192.0.2.1:2900)")]
    public void AServerThatIsNone_IsRefused(string server, string fault)
    {
        CliResult result = _rig.Run($"drop list --server {server}");
        Assert.Equal(2, result.Status);
        Assert.Contains(fault, result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void APortWithoutTlsIsSaidToBeSo()
    {
        Serve(null, "localhost", "tls = true\n");
        Assert.Equal($"couicctl: cannot reach the daemon at https://localhost:{_remote!.Port}: it does not speak TLS (\"tls = false\"? or the wrong \"port\")\n", Refused().Error);
    }

    [Fact]
    public void APortThatNobodyServesIsSaidToBeSo()
    {
        Serve(null, "127.0.0.1", "");
        _remote!.Dispose();
        CliResult result = _rig.Run("drop list");
        Assert.Equal((3, ""), (result.Status, result.Out));
        Assert.EndsWith(": connection refused (is it running there, and is \"port\" right?)\n", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(SocketError.HostNotFound, "the name is unknown (check \"host\")")]
    [InlineData(SocketError.TryAgain, "the name is unknown (check \"host\")")]
    [InlineData(SocketError.TimedOut, "connection timed out (check \"host\", \"port\" and the firewalls between)")]
    [InlineData(SocketError.HostUnreachable, "no route to host")]
    public void ACauseIsNamedInItsWords(SocketError error, string cause)
    {
        var endpoint = new Endpoint { Host = "couic.example", Port = 2900, Token = CliRig.Token, TokenFile = "x" };
        var failure = new HttpRequestException("", new SocketException((int)error));
        Assert.Equal($"cannot reach the daemon at http://couic.example:2900: {cause}", ConnectFailure.Explain(failure, endpoint, null).Message);
    }

    [Theory]
    [InlineData("not there", null, "no such file or directory")]
    [InlineData("empty", "", "it holds no certificate (expected PEM, -----BEGIN CERTIFICATE-----)")]
    [InlineData("broken", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "a certificate in it is malformed")]
    public void ABadAuthorityFileIsNamed(string name, string? content, string error)
    {
        string file = _rig.Folder[name];
        if (content is not null)
        {
            File.WriteAllText(file, content);
        }

        Serve(_authority.Issue("localhost"), "localhost", $"tls = true\nca_file = \"{file}\"\n");
        Assert.Equal(new CliResult(1, "", $"couicctl: read ca_file \"{file}\": {error}\n"), _rig.Run("drop list"));
    }

    private string TlsWithAuthority() => $"tls = true\nca_file = \"{_rig.Folder.Write("ca.pem", _authority.Pem)}\"\n";

    private void Serve(X509Certificate2? certificate, string host, string more)
    {
        _remote = new StubDaemon(new IPEndPoint(IPAddress.Loopback, 0), certificate)
        {
            Answer = _ => new StubAnswer(200, """[{"creation":1,"cidr":"1.2.3.4/32","tag":null,"expiration":0}]"""),
        };
        File.WriteAllText(_rig.ConfigFile, $"mode = \"remote\"\nhost = \"{host}\"\nport = {_remote.Port}\ntoken = \"{CliRig.Token}\"\n{more}");
    }

    /// <summary>A run that ends before anything was asked.</summary>
    private CliResult Refused()
    {
        CliResult result = _rig.Run("drop list");
        Assert.Equal((3, ""), (result.Status, result.Out));
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
        Assert.Empty(_remote!.Requests);
        return result;
    }
}
