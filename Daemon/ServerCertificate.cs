using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Couic.Config;
using Couic.Native;
using Microsoft.Win32.SafeHandles;

namespace Couic.Daemon;

/// <summary>The files of <c>[server.tls]</c>, read, and checked against each other. Immutable.</summary>
/// <param name="Context">For new connections.</param>
/// <param name="Names">DNS names and addresses that it is for.</param>
internal sealed record ServerCertificate(
    TlsContext Context, DateTimeOffset NotBefore, DateTimeOffset NotAfter, string Fingerprint, IReadOnlyList<string> Names)
{
    /// <summary>Bytes of one file; a chain has a few thousand.</summary>
    private const int MaxBytes = 1 << 20;

    private const int OthersMayRead = 0b000_000_100, GroupMayRead = 0b000_100_000, OwnerMayRead = 0b100_000_000;

    /// <param name="owner">The user and the group that the daemon runs as, which have to be able to read the files at a reload.</param>
    /// <returns>Null when there is any fault; each is added to <paramref name="faults"/> as one line.</returns>
    public static ServerCertificate? Load(TlsSettings tls, FileOwner owner, List<string> faults)
    {
        int before = faults.Count;
        byte[] certificate = Read("cert_file", tls.CertFile, owner, isSecret: false, faults);
        byte[] key = Read("key_file", tls.KeyFile, owner, isSecret: true, faults);
        byte[] authorities = tls.ClientCaFile is { } file ? Read("client_ca_file", file, owner, isSecret: false, faults) : [];
        if (faults.Count > before || Parse(tls.CertFile, certificate, faults) is not { } first)
        {
            return null;
        }

        using (first)
        {
            if (key.AsSpan().IndexOf("ENCRYPTED"u8) >= 0)
            {
                faults.Add($"server.tls.key_file \"{tls.KeyFile}\": it is encrypted (openssl pkey -in FILE writes it without its password)");
                return null;
            }

            try
            {
                return new ServerCertificate(
                    TlsContext.Create(certificate, key, authorities), first.NotBefore, first.NotAfter, Config.Fingerprint.Of(first.RawData), NamesOf(first));
            }
            catch (InvalidDataException e)
            {
                faults.Add($"server.tls: {e.Message} (cert_file \"{tls.CertFile}\", key_file \"{tls.KeyFile}\"{(tls.ClientCaFile is { } ca ? $", client_ca_file \"{ca}\"" : string.Empty)})");
                return null;
            }
        }
    }

    private static X509Certificate2? Parse(string path, byte[] pem, List<string> faults)
    {
        try
        {
            return X509Certificate2.CreateFromPem(Encoding.UTF8.GetString(pem));
        }
        catch (CryptographicException)
        {
            faults.Add($"server.tls.cert_file \"{path}\": it holds no certificate (expected PEM, -----BEGIN CERTIFICATE-----)");
            return null;
        }
    }

    private static List<string> NamesOf(X509Certificate2 certificate)
    {
        var names = new List<string>();
        foreach (X509SubjectAlternativeNameExtension alternatives in certificate.Extensions.OfType<X509SubjectAlternativeNameExtension>())
        {
            names.AddRange(alternatives.EnumerateDnsNames());
            names.AddRange(alternatives.EnumerateIPAddresses().Select(address => address.ToString()));
        }

        return names;
    }

    /// <summary>Links are followed: certbot and others write links.</summary>
    private static byte[] Read(string key, string path, FileOwner owner, bool isSecret, List<string> faults)
    {
        Errno error = Files.TryStatTarget(path, out FileState state);
        string? fault = error != Errno.None ? error.Text()
            : state.Kind != FileKind.Regular ? "is not a regular file"
            : state.Size > MaxBytes ? $"{state.Size} bytes (at most {MaxBytes})"
            : isSecret && (state.Mode & OthersMayRead) != 0 ? $"every user may read it (chmod o= \"{path}\")"
            : !MayRead(state, owner)
                ? $"the daemon's user {Accounts.UserName(owner.Uid)} may not read it, and has to at each reload (chown {Accounts.UserName(owner.Uid)} \"{path}\", or chgrp {Accounts.GroupName(owner.Gid)} and chmod g+r)"
            : null;
        byte[] content = [];
        if (fault is null)
        {
            error = Files.TryOpenTarget(path, out SafeFileHandle? file);
            using (file)
            {
                content = new byte[MaxBytes + 1];
                int length = 0;
                error = error == Errno.None ? Files.TryRead(file!, content, out length) : error;
                content = content[..length];
                fault = error == Errno.EACCES ? "permission denied (its folders must let the daemon's user in: chmod o+x, or chgrp)" : error != Errno.None ? error.Text() : null;
            }
        }

        if (fault is not null)
        {
            faults.Add($"server.tls.{key} \"{path}\": {fault}");
        }

        return content;
    }

    private static bool MayRead(in FileState state, FileOwner owner) =>
        owner.Uid == 0 || (state.Mode & (state.Owner.Uid == owner.Uid ? OwnerMayRead : state.Owner.Gid == owner.Gid ? GroupMayRead : OthersMayRead)) != 0;
}
