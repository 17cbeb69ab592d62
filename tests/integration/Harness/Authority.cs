using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Couic.IntegrationTests.Harness;

/// <summary>A certificate authority of a test's own; what it signs are PEM files that everybody may read.</summary>
internal sealed class Authority : IDisposable
{
    private readonly Scratch _scratch;
    private readonly X509Certificate2 _root;

    /// <param name="name">Of its certificate's file and subject.</param>
    public Authority(Scratch scratch, string name)
    {
        _scratch = scratch;
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN=couic test authority {name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        _root = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-2), DateTimeOffset.UtcNow.AddDays(2));
        File = scratch.File(name + ".pem", _root.ExportCertificatePem());
    }

    /// <summary>Its own certificate.</summary>
    public string File { get; }

    /// <summary>Signs a certificate for names and addresses. Returns the paths of certificate and key.</summary>
    public (string Certificate, string Key) Issue(string file, string[] names, bool isExpired = false)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = new($"CN={names[0]}", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder alternatives = new();
        foreach (string name in names)
        {
            if (IPAddress.TryParse(name, out IPAddress? address))
            {
                alternatives.AddIpAddress(address);
            }
            else
            {
                alternatives.AddDnsName(name);
            }
        }

        request.CertificateExtensions.Add(alternatives.Build());
        DateTimeOffset end = DateTimeOffset.UtcNow.AddHours(isExpired ? -1 : 24);
        using X509Certificate2 certificate = request.Create(_root, end.AddHours(-25), end, RandomNumberGenerator.GetBytes(8));
        return (_scratch.File(file + ".pem", certificate.ExportCertificatePem()), _scratch.File(file + ".key", key.ExportPkcs8PrivateKeyPem()));
    }

    public void Dispose() => _root.Dispose();
}
