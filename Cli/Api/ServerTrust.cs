using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Couic.CommandLine;
using Couic.Config;

namespace Couic.Cli.Api;

/// <summary>Verifies the certificate of a remote daemon and keeps the reason of a refusal for the error message.</summary>
internal sealed class ServerTrust(Endpoint endpoint)
{
    private const int MaxNames = 5;

    /// <summary>Why the certificate was refused, with what to do; null if it was accepted.</summary>
    public string? Refusal { get; private set; }

    /// <exception cref="CliException">The file cannot be read.</exception>
    public SslClientAuthenticationOptions Options()
    {
        var options = new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = Verify };
        if (endpoint.CaFile is { } caFile)
        {
            options.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
                VerificationTime = DateTime.UtcNow,
            };
            options.CertificateChainPolicy.CustomTrustStore.AddRange(Authorities(caFile));
        }

        if (endpoint.CertFile is { } certFile)
        {
            options.ClientCertificateContext = SslStreamCertificateContext.Create(Own(certFile, endpoint.KeyFile!), null, offline: true);
        }

        return options;
    }

    private static X509Certificate2 Own(string certFile, string keyFile)
    {
        try
        {
            return X509Certificate2.CreateFromPemFile(certFile, keyFile);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException($"read cert_file \"{certFile}\" or key_file \"{keyFile}\": {SystemErrors.Text(e)}");
        }
        catch (CryptographicException e)
        {
            throw new CliException($"read cert_file \"{certFile}\" with key_file \"{keyFile}\": {e.Message}");
        }
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
        string? actual = certificate is null ? null : Fingerprint.Of(certificate.GetRawCertData());
        if (actual is not null && endpoint.Fingerprint is { } expected)
        {
            Refusal = actual == expected ? null
                : $"its certificate has fingerprint {actual}, and {expected} is expected (was it renewed? couicctl status on that machine shows the fingerprint in force)";
            return actual == expected;
        }

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
            reasons.Add($"its certificate is for another name (subject \"{certificate?.Subject}\"{Names(certificate)})");
        }

        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors))
        {
            reasons.Add("its certificate is not trusted: " + string.Join(", ", Statuses(chain, certificate)));
        }

        Refusal = string.Join("; ", reasons) + " (set \"ca_file\" to the authority that signed it, or \"host\" to its name"
            + (actual is null ? ")" : $", or \"fingerprint\" to {actual} if that machine shows the same)");
        return false;
    }

    private static string Names(X509Certificate? certificate) => certificate is X509Certificate2 { Extensions: { } extensions }
        && extensions.OfType<X509SubjectAlternativeNameExtension>().FirstOrDefault() is { } names
        ? $", for {string.Join(", ", names.EnumerateDnsNames().Concat(names.EnumerateIPAddresses().Select(address => address.ToString())).Take(MaxNames))}"
        : string.Empty;

    private static IEnumerable<string> Statuses(X509Chain? chain, X509Certificate? certificate) =>
        (chain?.ChainStatus ?? []).Select(s => s.Status == X509ChainStatusFlags.NotTimeValid && certificate is X509Certificate2 own ? ExplainDates(own) : Explain(s.Status)).Distinct().DefaultIfEmpty("no chain");

    private static string ExplainDates(X509Certificate2 certificate) => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"it has expired or is not valid yet (from {certificate.NotBefore.ToUniversalTime():yyyy-MM-dd} to {certificate.NotAfter.ToUniversalTime():yyyy-MM-dd})");

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
