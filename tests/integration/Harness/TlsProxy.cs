using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Couic.IntegrationTests.Harness;

/// <summary>Debian's nginx with TLS on port 2900 of a namespace, in front of a daemon's socket.</summary>
internal sealed class TlsProxy : IDisposable
{
    private readonly Process _nginx;

    public TlsProxy(NetSpace space, Scratch scratch, string name, string socket, string address)
    {
        string home = scratch.Folder(name);
        Authority = scratch[$"{name}/ca.pem"];
        WriteCertificate(Authority, scratch[$"{name}/server.pem"], scratch[$"{name}/server.key"], address);
        string config = scratch.File($"{name}/nginx.conf", $$"""
            daemon off;
            user nobody nogroup;
            pid {{home}}/nginx.pid;
            error_log stderr;
            worker_processes 1;
            events { worker_connections 64; }
            http {
              access_log off;
              client_body_temp_path {{home}}/body;
              proxy_temp_path {{home}}/proxy;
              fastcgi_temp_path {{home}}/fastcgi;
              uwsgi_temp_path {{home}}/uwsgi;
              scgi_temp_path {{home}}/scgi;
              upstream couic { server unix:{{socket}}; keepalive 4; }
              server {
                listen 2900 ssl;
                ssl_certificate {{home}}/server.pem;
                ssl_certificate_key {{home}}/server.key;
                client_max_body_size 0;
                location / { proxy_pass http://couic; proxy_http_version 1.1; proxy_set_header Connection ""; }
              }
            }
            """);
        _nginx = Shell.Start(space, new ProcessStartInfo("nginx", ["-p", home, "-c", config]));
    }

    /// <summary>The certificate of the authority that signed the server's.</summary>
    public string Authority { get; }

    public void Dispose()
    {
        _ = Libc.kill(_nginx.Id, Libc.SIGTERM);
        _nginx.WaitForExit();
        _nginx.Dispose();
    }

    /// <summary>An authority of its own and a certificate for <c>localhost</c> and an address, signed by it.</summary>
    public static void WriteCertificate(string authorityFile, string certificateFile, string keyFile, string address)
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
        names.AddIpAddress(IPAddress.Parse(address));
        request.CertificateExtensions.Add(names.Build());
        using X509Certificate2 certificate = request.Create(authority, from, to, RandomNumberGenerator.GetBytes(8));

        File.WriteAllText(authorityFile, authority.ExportCertificatePem());
        File.WriteAllText(certificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
    }
}
