using System.Runtime.InteropServices;

namespace Couic.Native;

/// <summary>
/// The functions of OpenSSL 3 that a server needs, by their native names (ssl(7)). The executable has the library inside; the framework's
/// own classes use the same copy.
/// </summary>
internal static unsafe partial class OpenSsl
{
    public const int SSL_CTRL_MODE = 33;
    public const int SSL_CTRL_SET_SESS_CACHE_MODE = 44;
    public const int SSL_CTRL_SET_MAX_CERT_LIST = 51;
    public const int SSL_CTRL_CHAIN_CERT = 89;
    public const int SSL_CTRL_SET_GROUPS_LIST = 92;
    public const int SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
    public const int TLS1_2_VERSION = 0x0303;
    public const ulong SSL_OP_IGNORE_UNEXPECTED_EOF = 1ul << 7;
    public const ulong SSL_OP_NO_TICKET = 1ul << 14;
    public const ulong SSL_OP_NO_COMPRESSION = 1ul << 17;
    public const ulong SSL_OP_PRIORITIZE_CHACHA = 1ul << 21;
    public const ulong SSL_OP_CIPHER_SERVER_PREFERENCE = 1ul << 22;
    public const ulong SSL_OP_NO_RENEGOTIATION = 1ul << 30;
    public const int SSL_MODE_ENABLE_PARTIAL_WRITE = 1, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER = 2, SSL_MODE_RELEASE_BUFFERS = 16;
    public const int SSL_VERIFY_PEER = 1, SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2;
    public const int SSL_ERROR_WANT_READ = 2, SSL_ERROR_WANT_WRITE = 3, SSL_ERROR_ZERO_RETURN = 6;
    public const int BIO_CTRL_INFO = 3, BIO_CTRL_PENDING = 10;

    private const string Crypto = "libcrypto", Ssl = "libssl";

    // What the framework asks for. The first caller decides, and without NO_ATEXIT the library would be torn down under running threads.
    private const ulong InitFlags = 0x2 | 0x4 | 0x8 | 0x40 | 0x8_0000 | 0x20_0000;

    static OpenSsl()
    {
        if (OPENSSL_init_ssl(InitFlags, 0) != 1)
        {
            throw new InvalidOperationException("OpenSSL cannot be initialized");
        }
    }

    /// <summary>The cause of the thread's last failed call, such as <c>unsupported protocol</c>; the queue of errors is empty afterwards.</summary>
    public static string TakeError()
    {
        string text = Marshal.PtrToStringUTF8(ERR_reason_error_string(ERR_peek_last_error())) ?? "unknown error";
        ERR_clear_error();
        return text;
    }

    [LibraryImport(Ssl)]
    private static partial int OPENSSL_init_ssl(ulong options, nint settings);

    [LibraryImport(Crypto)]
    public static partial void ERR_clear_error();

    [LibraryImport(Crypto)]
    public static partial nuint ERR_peek_last_error();

    [LibraryImport(Crypto)]
    private static partial nint ERR_reason_error_string(nuint error);

    [LibraryImport(Ssl)]
    public static partial nint TLS_server_method();

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_new(nint method);

    [LibraryImport(Ssl)]
    public static partial void SSL_CTX_free(nint context);

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_ctrl(SafeHandle context, int command, nint number, void* pointer);

    [LibraryImport(Ssl)]
    public static partial ulong SSL_CTX_set_options(SafeHandle context, ulong options);

    [LibraryImport(Ssl, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int SSL_CTX_set_cipher_list(SafeHandle context, string ciphers);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_set_num_tickets(SafeHandle context, nuint count);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_use_certificate(SafeHandle context, nint certificate);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_use_PrivateKey(SafeHandle context, nint key);

    [LibraryImport(Ssl)]
    public static partial void SSL_CTX_set_verify(SafeHandle context, int mode, nint callback);

    [LibraryImport(Ssl)]
    public static partial nint SSL_CTX_get_cert_store(SafeHandle context);

    [LibraryImport(Ssl)]
    public static partial int SSL_CTX_add_client_CA(SafeHandle context, nint certificate);

    [LibraryImport(Crypto)]
    public static partial int X509_STORE_add_cert(nint store, nint certificate);

    [LibraryImport(Crypto)]
    public static partial void X509_free(nint certificate);

    [LibraryImport(Crypto)]
    public static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Crypto)]
    public static partial nint PEM_read_bio_X509(nint bio, nint result, nint callback, void* password);

    [LibraryImport(Crypto)]
    public static partial nint PEM_read_bio_PrivateKey(nint bio, nint result, nint callback, void* password);

    [LibraryImport(Crypto)]
    public static partial nint BIO_new_mem_buf(void* buffer, int length);

    [LibraryImport(Crypto)]
    public static partial nint BIO_s_mem();

    [LibraryImport(Crypto)]
    public static partial nint BIO_new(nint kind);

    [LibraryImport(Crypto)]
    public static partial int BIO_free(nint bio);

    [LibraryImport(Crypto)]
    public static partial int BIO_read(nint bio, void* buffer, int length);

    [LibraryImport(Crypto)]
    public static partial int BIO_write(nint bio, void* buffer, int length);

    [LibraryImport(Crypto)]
    public static partial nint BIO_ctrl(nint bio, int command, nint number, void* pointer);

    [LibraryImport(Ssl)]
    public static partial nint SSL_new(SafeHandle context);

    [LibraryImport(Ssl)]
    public static partial void SSL_free(nint session);

    [LibraryImport(Ssl)]
    public static partial void SSL_set_bio(nint session, nint input, nint output);

    [LibraryImport(Ssl)]
    public static partial void SSL_set0_rbio(nint session, nint input);

    [LibraryImport(Ssl)]
    public static partial void SSL_set0_wbio(nint session, nint output);

    [LibraryImport(Ssl)]
    public static partial void SSL_set_accept_state(nint session);

    [LibraryImport(Ssl)]
    public static partial int SSL_do_handshake(nint session);

    [LibraryImport(Ssl)]
    public static partial int SSL_read(nint session, void* buffer, int length);

    [LibraryImport(Ssl)]
    public static partial int SSL_write(nint session, void* buffer, int length);

    [LibraryImport(Ssl)]
    public static partial int SSL_shutdown(nint session);

    [LibraryImport(Ssl)]
    public static partial int SSL_get_error(nint session, int result);
}
