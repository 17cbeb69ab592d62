using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Couic.Native;
using static Couic.Native.OpenSsl;

namespace Couic.Tests.Support;

/// <summary>
/// A TLS client of the same library whose bytes the test carries to and from the server, so that it can change them. Both run on one thread.
/// </summary>
internal sealed unsafe partial class TlsPeer : IDisposable
{
    private const int SSL_CTRL_SET_MAX_PROTO_VERSION = 124;

    private readonly TempFolder _folder = new();
    private readonly byte[] _buffer = new byte[64 * 1024];
    private readonly nint _session;
    private readonly nint _input;
    private readonly nint _output;

    /// <param name="version">The newest that it offers; the oldest as well below TLS 1.2.</param>
    /// <param name="ciphers">What it offers for TLS 1.2 and before.</param>
    public TlsPeer(TlsContext context, int version = 0x0304, string ciphers = "DEFAULT:@SECLEVEL=0")
    {
        Server = Connect(out Socket client);
        Client = client;
        Server.Tls = new TlsSession(context);
        using var own = new ClientContext();
        SSL_CTX_ctrl(own, SSL_CTRL_SET_MIN_PROTO_VERSION, Math.Min(version, TLS1_2_VERSION), null);
        SSL_CTX_ctrl(own, SSL_CTRL_SET_MAX_PROTO_VERSION, version, null);
        if (SSL_CTX_set_cipher_list(own, ciphers) != 1)
        {
            throw new InvalidOperationException(TakeError());
        }

        _session = SSL_new(own);
        SSL_set_bio(_session, _input = BIO_new(BIO_s_mem()), _output = BIO_new(BIO_s_mem()));
        SSL_set_connect_state(_session);
    }

    /// <summary>The server's end, with its session.</summary>
    public StreamSocket Server { get; }

    public TlsSession Session => Server.Tls!;

    /// <summary>The client's end, below TLS.</summary>
    public Socket Client { get; }

    /// <summary>What the client has received and decrypted.</summary>
    public List<byte> Received { get; } = [];

    /// <summary>The last error of the client.</summary>
    public string Fault { get; private set; } = string.Empty;

    public bool IsEstablished { get; private set; }

    /// <summary>Changes what the client sends, a flight at a time; null: it is sent as it is. No byte: nothing is sent.</summary>
    public Func<byte[], byte[]>? Wire { get; set; }

    /// <summary>Continues the client's handshake, and sends what it has to say.</summary>
    public void Shake()
    {
        Take();
        ERR_clear_error();
        int result = SSL_do_handshake(_session);
        IsEstablished = result == 1;
        Note(result);
        Deliver();
    }

    /// <summary>Both sides until one of them has finished or waits in vain.</summary>
    public HandshakeStep Handshake()
    {
        HandshakeStep step = HandshakeStep.Waits;
        for (int i = 0; i < 6 && step == HandshakeStep.Waits; i++)
        {
            Shake();
            step = Session.Handshake(Server);
        }

        Shake();
        return step;
    }

    public void Send(ReadOnlySpan<byte> text)
    {
        fixed (byte* bytes = text)
        {
            Note(SSL_write(_session, bytes, text.Length));
        }

        Deliver();
    }

    public void Send(string text) => Send(Encoding.ASCII.GetBytes(text));

    /// <summary>Asks for new keys of both directions (TLS 1.3).</summary>
    public void UpdateKeys()
    {
        Note(SSL_key_update(_session, 1));
        Shake();
    }

    /// <summary>Asks for another handshake (TLS 1.2).</summary>
    public void Renegotiate()
    {
        Note(SSL_renegotiate(_session));
        Shake();
    }

    public void SayEnd()
    {
        _ = SSL_shutdown(_session);
        Deliver();
    }

    /// <summary>Receives what has come, into <see cref="Received"/>.</summary>
    public void Receive()
    {
        Take();
        ERR_clear_error();
        fixed (byte* bytes = _buffer)
        {
            int n;
            while ((n = SSL_read(_session, bytes, _buffer.Length)) > 0)
            {
                Received.AddRange(_buffer.AsSpan(0, n));
            }

            Note(n);
        }
    }

    public void Dispose()
    {
        SSL_free(_session);
        Server.Dispose();
        Client.Dispose();
        _folder.Dispose();
    }

    private StreamSocket Connect(out Socket client)
    {
        var end = new UnixDomainSocketEndPoint(_folder["s"]);
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(end);
        listener.Listen();
        client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        client.Connect(end);
        client.Blocking = false;
        return StreamSocket.Accept(listener.SafeHandle, out StreamSocket? accepted) == 0 ? accepted! : throw new InvalidOperationException("accept");
    }

    private void Note(int result)
    {
        if (result <= 0 && SSL_get_error(_session, result) is not (SSL_ERROR_WANT_READ or SSL_ERROR_WANT_WRITE))
        {
            Fault = TakeError();
        }
    }

    /// <summary>From the socket to the library.</summary>
    private void Take()
    {
        int n;
        while ((n = Client.Receive(_buffer, SocketFlags.None, out SocketError error)) > 0 && error == SocketError.Success)
        {
            fixed (byte* bytes = _buffer)
            {
                _ = BIO_write(_input, bytes, n);
            }
        }
    }

    /// <summary>From the library to the socket.</summary>
    private void Deliver()
    {
        fixed (byte* bytes = _buffer)
        {
            int n = BIO_read(_output, bytes, _buffer.Length);
            byte[] flight = n > 0 ? _buffer[..n] : [];
            flight = n > 0 && Wire is { } wire ? wire(flight) : flight;
            if (flight.Length > 0)
            {
                Client.Send(flight, SocketFlags.None, out _); // a server that has closed is noticed by what it sends
            }
        }
    }

    [LibraryImport("libssl")]
    private static partial nint TLS_client_method();

    [LibraryImport("libssl")]
    private static partial void SSL_set_connect_state(nint session);

    [LibraryImport("libssl")]
    private static partial int SSL_key_update(nint session, int kind);

    [LibraryImport("libssl")]
    private static partial int SSL_renegotiate(nint session);

    private sealed class ClientContext : Microsoft.Win32.SafeHandles.SafeHandleZeroOrMinusOneIsInvalid
    {
        public ClientContext()
            : base(ownsHandle: true) => SetHandle(SSL_CTX_new(TLS_client_method()));

        protected override bool ReleaseHandle()
        {
            SSL_CTX_free(handle);
            return true;
        }
    }
}
