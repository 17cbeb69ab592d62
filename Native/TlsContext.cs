using Microsoft.Win32.SafeHandles;
using static Couic.Native.OpenSsl;

namespace Couic.Native;

/// <summary>
/// A server's certificate, key and rules for TLS: versions 1.2 and 1.3, forward secrecy only, no renegotiation, no compression, no
/// resumption. Immutable; sessions keep what they need of it. Thread-safe.
/// </summary>
internal sealed unsafe class TlsContext : SafeHandleZeroOrMinusOneIsInvalid
{
    /// <summary>Of TLS 1.2; those of 1.3 are the library's three.</summary>
    private const string Ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20:@SECLEVEL=2";

    private const string Groups = "X25519:P-256:P-384";

    /// <summary>Bytes of a client's certificates in all; real ones have up to 5,000.</summary>
    private const int MaxClientCertificates = 16 * 1024;

    private const int MaxAuthorities = 256;

    private TlsContext(nint context)
        : base(ownsHandle: true) => SetHandle(context);

    /// <param name="certificates">PEM: the server's certificate, then those of the authorities between it and the root.</param>
    /// <param name="key">PEM, not encrypted.</param>
    /// <param name="clientAuthorities">PEM: clients must then present a certificate of one of them; null: they need none.</param>
    /// <exception cref="InvalidDataException">The library refuses one of them.</exception>
    public static TlsContext Create(ReadOnlySpan<byte> certificates, ReadOnlySpan<byte> key, ReadOnlySpan<byte> clientAuthorities)
    {
        var context = new TlsContext(SSL_CTX_new(TLS_server_method()));
        try
        {
            context.SetRules();
            context.SetCertificates(certificates);
            context.SetKey(key);
            if (!clientAuthorities.IsEmpty)
            {
                context.RequireClients(clientAuthorities);
            }

            return context;
        }
        catch
        {
            context.Dispose();
            throw;
        }
    }

    /// <summary>Sessions are not resumed: nothing of an old certificate outlives a reload, and there are no tickets whose key would undo forward secrecy.</summary>
    private void SetRules()
    {
        Check(!IsInvalid, "create a context");
        Check(SSL_CTX_ctrl(this, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, null) == 1, "require TLS 1.2");
        Check(SSL_CTX_set_cipher_list(this, Ciphers) == 1, "set the ciphers");
        fixed (byte* groups = Utf8(Groups))
        {
            Check(SSL_CTX_ctrl(this, SSL_CTRL_SET_GROUPS_LIST, 0, groups) == 1, "set the groups");
        }

        SSL_CTX_set_options(
            this,
            SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
        SSL_CTX_set_num_tickets(this, 0);
        SSL_CTX_ctrl(this, SSL_CTRL_SET_SESS_CACHE_MODE, 0, null);
        SSL_CTX_ctrl(this, SSL_CTRL_SET_MAX_CERT_LIST, MaxClientCertificates, null);
        SSL_CTX_ctrl(this, SSL_CTRL_MODE, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS, null);
    }

    private void SetCertificates(ReadOnlySpan<byte> pem)
    {
        bool isFirst = true;
        ForEach(pem, certificate =>
        {
            Check(
                isFirst ? SSL_CTX_use_certificate(this, certificate) == 1 : SSL_CTX_ctrl(this, SSL_CTRL_CHAIN_CERT, 1, (void*)certificate) == 1,
                "use the certificate");
            isFirst = false;
        });
        Check(!isFirst, "read the certificate");
    }

    private void SetKey(ReadOnlySpan<byte> pem)
    {
        nint key = Read(pem, &ReadKey);
        Check(key != 0, "read the key");
        bool isUsed = SSL_CTX_use_PrivateKey(this, key) == 1; // compares it with the certificate
        EVP_PKEY_free(key);
        Check(isUsed, "use the key");
    }

    private void RequireClients(ReadOnlySpan<byte> pem)
    {
        nint store = SSL_CTX_get_cert_store(this);
        int count = ForEach(pem, authority =>
            Check(X509_STORE_add_cert(store, authority) == 1 && SSL_CTX_add_client_CA(this, authority) == 1, "use an authority of clients"));
        Check(count > 0, "read the authorities of clients");
        SSL_CTX_set_verify(this, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, 0);
    }

    /// <summary>Calls back for each certificate of a PEM text; the library counts references to those that it keeps.</summary>
    private static int ForEach(ReadOnlySpan<byte> pem, Action<nint> use)
    {
        int count = 0;
        fixed (byte* text = pem)
        {
            nint bio = BIO_new_mem_buf(text, pem.Length);
            try
            {
                for (nint certificate; count < MaxAuthorities && (certificate = ReadCertificate(bio)) != 0; count++)
                {
                    try
                    {
                        use(certificate);
                    }
                    finally
                    {
                        X509_free(certificate);
                    }
                }
            }
            finally
            {
                _ = BIO_free(bio);
                ERR_clear_error(); // the end of the text is an error to the library
            }
        }

        return count;
    }

    private static nint Read(ReadOnlySpan<byte> pem, delegate*<nint, nint> read)
    {
        fixed (byte* text = pem)
        {
            nint bio = BIO_new_mem_buf(text, pem.Length);
            nint result = read(bio);
            _ = BIO_free(bio);
            return result;
        }
    }

    private static nint ReadCertificate(nint bio) => PEM_read_bio_X509(bio, 0, 0, null);

    /// <summary>An encrypted key fails: without a password the library would ask for one at the terminal.</summary>
    private static nint ReadKey(nint bio)
    {
        byte none = 0;
        return PEM_read_bio_PrivateKey(bio, 0, 0, &none);
    }

    private static byte[] Utf8(string text) => [.. System.Text.Encoding.ASCII.GetBytes(text), 0];

    private static void Check(bool isDone, string what)
    {
        if (!isDone)
        {
            throw new InvalidDataException($"{what}: {TakeError()}");
        }
    }

    protected override bool ReleaseHandle()
    {
        SSL_CTX_free(handle);
        return true;
    }
}
