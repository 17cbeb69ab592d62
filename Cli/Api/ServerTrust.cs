using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Couic.CommandLine;

namespace Couic.Cli.Api;

/// <summary>Verifies the certificate of a remote daemon and keeps the reason of a refusal for the error message.</summary>
internal sealed class ServerTrust(string? caFile)
{
    /// <summary>Why the certificate was refused; null if it was accepted.</summary>
    public string? Refusal { get; private set; }

    /// <exception cref="CliException">The file cannot be read.</exception>
    public SslClientAuthenticationOptions Options()
    {
        var options = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = Verify };
        if (caFile is not null)
        {
            options.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                VerificationTime = DateTime.UtcNow,
            };
            options.CertificateChainPolicy.CustomTrustStore.AddRange(Authorities(caFile));
        }

        return options;
    }

    private static X509Certificate2Collection Authorities(string caFile)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPemFile(caFile);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"read ca_file \"{caFile}\": {SystemErrors.Text(e)}");
        }
        catch (CryptographicException)
        {
            throw new CliException($"read ca_file \"{caFile}\": a certificate in it is malformed");
        }

        return authorities.Count > 0 ? authorities
            : throw new CliException($"read ca_file \"{caFile}\": it holds no certificate (expected PEM, -----BEGIN CERTIFICATE-----)");
    }

    private bool Verify(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (errors == SslPolicyErrors.None)
        {
            return true;
        }

        var reasons = new List<string>();
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable))
        {
            reasons.Add("it presented no certificate");
        }

        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            reasons.Add($"its certificate is for another name (subject \"{certificate?.Subject}\")");
        }

        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors))
        {
            reasons.Add("its certificate is not trusted: " + string.Join(", ", Statuses(chain)));
        }

        Refusal = string.Join("; ", reasons);
        return false;
    }

    private static IEnumerable<string> Statuses(X509Chain? chain) =>
        (chain?.ChainStatus ?? []).Select(s => Explain(s.Status)).Distinct().DefaultIfEmpty("no chain");

    private static string Explain(X509ChainStatusFlags status) => status switch
    {
        X509ChainStatusFlags.NotTimeValid => "it has expired or is not valid yet",
        X509ChainStatusFlags.UntrustedRoot => "signed by an unknown authority",
        X509ChainStatusFlags.PartialChain => "the authority that signed it is unknown",
        X509ChainStatusFlags.NotSignatureValid => "a signature does not fit",
        X509ChainStatusFlags.Revoked => "it was revoked",
        _ => status.ToString(),
    };
}
