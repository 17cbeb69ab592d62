using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Couic.IntegrationTests.Harness;
using Xunit;

namespace Couic.IntegrationTests;

/// <summary>Debian's nginx with TLS in front of the socket, as operators run it.</summary>
public sealed class ReverseProxyTests : IDisposable
{
    private readonly Lab _lab = new();
    private readonly Daemon _daemon;
    private readonly Process _nginx;
    private readonly string _authority;

    public ReverseProxyTests()
    {
        _daemon = Daemon.Start(_lab);
        _authority = _lab.Scratch["ca.pem"];
        WriteCertificate(_authority, _lab.Scratch["server.pem"], _lab.Scratch["server.key"]);
        string config = _lab.Scratch.File("nginx.conf", $$"""
            daemon off;
            user nobody nogroup;
            pid {{_lab.Scratch["nginx.pid"]}};
            error_log stderr;
            worker_processes 1;
            events { worker_connections 64; }
            http {
              access_log off;
              client_body_temp_path {{_lab.Scratch["body"]}};
              proxy_temp_path {{_lab.Scratch["proxy"]}};
              fastcgi_temp_path {{_lab.Scratch["fastcgi"]}};
              uwsgi_temp_path {{_lab.Scratch["uwsgi"]}};
              scgi_temp_path {{_lab.Scratch["scgi"]}};
              upstream couic { server unix:{{_daemon.Socket}}; keepalive 4; }
              server {
                listen 127.0.0.1:2900 ssl;
                ssl_certificate {{_lab.Scratch["server.pem"]}};
                ssl_certificate_key {{_lab.Scratch["server.key"]}};
                client_max_body_size 0;
                location / { proxy_pass http://couic; proxy_http_version 1.1; proxy_set_header Connection ""; }
              }
            }
            """);
        _nginx = Shell.Start(_lab.Inside, new ProcessStartInfo("nginx", ["-p", _lab.Scratch.Root, "-c", config]));
        Eventually.Holds(() => Curl("/v1/drop").ExitCode == 0, "nginx answers");
    }

    [Fact]
    public void CurlAddsARuleThroughIt()
    {
        Shell.Result added = Curl("/v1/drop", "-X", "POST", "-H", "Content-Type: application/json", "-d", ApiClient.EntryBody("198.51.100.7/32", "proxied"));
        Assert.Contains("\"cidr\":\"198.51.100.7/32\"", added.Out, StringComparison.Ordinal);
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
        Assert.Contains("proxied", Curl("/v1/drop").Out, StringComparison.Ordinal);
        Assert.Equal("204", Curl("/v1/drop/198.51.100.7/32", "-X", "DELETE", "-o", "/dev/null", "-w", "%{http_code}").Out);
        Assert.True(_lab.Probe.Passes("198.51.100.7"));
    }

    [Fact]
    public void CouicctlInRemoteModeWorksThroughIt()
    {
        string config = WriteRemote("localhost", _authority);
        Shell.Result added = Product.Run(_lab.Inside, "ctl", "-c", config, "drop", "add", "198.51.100.7/32", "-t", "remote");
        Assert.True(added.ExitCode == 0, added.All);
        Assert.False(_lab.Probe.Passes("198.51.100.7"));
        Shell.Result listed = Product.Run(_lab.Inside, "ctl", "-c", config, "drop", "list", "-q");
        Assert.Equal("198.51.100.7/32\n", listed.Out);
    }

    [Fact]
    public void CouicctlRefusesACertificateOfAnUnknownAuthority()
    {
        string other = _lab.Scratch["other.pem"];
        WriteCertificate(other, _lab.Scratch["o.pem"], _lab.Scratch["o.key"]);
        Shell.Result result = Product.Run(_lab.Inside, "ctl", "-c", WriteRemote("localhost", other), "drop", "list");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("certificate", result.Error, StringComparison.OrdinalIgnoreCase);
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void CouicctlRefusesACertificateOfAnotherName()
    {
        Shell.Result result = Product.Run(_lab.Inside, "ctl", "-c", WriteRemote("127.0.0.1", _authority), "drop", "list");
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("certificate", result.Error, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void AListOfTenThousandEntriesComesThroughWhole()
    {
        string[] requests = [
            .. Enumerable.Range(0, 10_000).Select(i => _daemon.Api.Text("POST", "/v1/drop", ApiClient.EntryBody($"10.1.{i / 256}.{i % 256}/32")))];
        Assert.All(_daemon.Api.Pipeline(requests), status => Assert.Equal(201, status));
        Shell.Result listed = Product.Run(_lab.Inside, "ctl", "-c", WriteRemote("localhost", _authority), "drop", "list", "-q");
        Assert.Equal(10_000, listed.Out.TrimEnd('\n').Split('\n').Length);
    }

    public void Dispose()
    {
        _ = Libc.kill(_nginx.Id, Libc.SIGTERM);
        _nginx.WaitForExit();
        _nginx.Dispose();
        _daemon.Dispose();
        _lab.Dispose();
    }

    private Shell.Result Curl(string path, params string[] arguments) => Shell.Run(
        _lab.Inside, "curl", ["-sS", "--cacert", _authority, "-H", $"Authorization: Bearer {_daemon.Token}", $"https://localhost:2900{path}", .. arguments]);

    private string WriteRemote(string host, string authority) => _lab.Scratch.File("remote.toml", $"""
        mode = "remote"
        host = "{host}"
        port = 2900
        tls = true
        ca_file = "{authority}"
        token = "{_daemon.Token}"

        """, (UnixFileMode)0b110_000_000);

    /// <summary>An authority of its own and a certificate for <c>localhost</c> signed by it.</summary>
    private static void WriteCertificate(string authorityFile, string certificateFile, string keyFile)
    {
        DateTimeOffset from = DateTimeOffset.UtcNow.AddHours(-1);
        DateTimeOffset to = from.AddDays(1);
        using ECDsa authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest authorityRequest = new("CN=couic test authority", authorityKey, HashAlgorithmName.SHA256);
        authorityRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        authorityRequest.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        using X509Certificate2 authority = authorityRequest.CreateSelfSigned(from, to);

        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new("CN=localhost", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 certificate = request.Create(authority, from, to, RandomNumberGenerator.GetBytes(8));

        File.WriteAllText(authorityFile, authority.ExportCertificatePem());
        File.WriteAllText(certificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
    }
}
