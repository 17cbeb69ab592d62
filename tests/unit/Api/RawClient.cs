using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Couic.Tests.Api;

/// <summary>Bytes to and from a Unix socket, and just enough of HTTP to take answers apart.</summary>
internal sealed class RawClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly List<byte> _received = [];

    private readonly Stream _stream;

    public RawClient(string path)
        : this(new UnixDomainSocketEndPoint(path))
    {
    }

    /// <param name="receiveBuffer">Bytes that the kernel buffers for a client that does not read; 0 for its default.</param>
    /// <param name="secure">What to speak over the connection; null: nothing but what the test sends.</param>
    public RawClient(EndPoint server, Func<Stream, Stream>? secure = null, IPAddress? from = null, int receiveBuffer = 0)
    {
        Socket = new Socket(server.AddressFamily, SocketType.Stream, server is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);
        if (from is not null)
        {
            Socket.Bind(new IPEndPoint(from, 0));
        }

        if (receiveBuffer > 0)
        {
            Socket.ReceiveBufferSize = receiveBuffer;
        }

        Socket.Connect(server);
        var stream = new NetworkStream(Socket);
        _stream = secure?.Invoke(stream) ?? stream;
    }

    public Socket Socket { get; }

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        using var limit = new CancellationTokenSource(Patience);
        await _stream.WriteAsync(bytes, limit.Token);
    }

    /// <summary>One answer; fails the test when the connection ends before.</summary>
    public async Task<Answer> ReadAnswerAsync(bool isHead = false) =>
        await TryReadAnswerAsync(isHead) ?? throw new InvalidOperationException("the connection ended without an answer");

    /// <summary>One answer, or null at the end of the connection.</summary>
    public async Task<Answer?> TryReadAnswerAsync(bool isHead = false)
    {
        int end;
        while ((end = CollectionsMarshal.AsSpan(_received).IndexOf("\r\n\r\n"u8)) < 0)
        {
            if (!await ReceiveAsync())
            {
                return _received.Count == 0 ? null : throw new InvalidOperationException("the connection ended in the middle of a head");
            }
        }

        var answer = new Answer(Encoding.ASCII.GetString([.. _received[..end]]));
        _received.RemoveRange(0, end + 4);
        int length = isHead || answer.Status is 204 or 100 ? 0 : answer.ContentLength;
        while (_received.Count < length)
        {
            if (!await ReceiveAsync())
            {
                throw new InvalidOperationException("the connection ended in the middle of a body");
            }
        }

        answer.Body = Encoding.UTF8.GetString([.. _received[..length]]);
        _received.RemoveRange(0, length);
        return answer;
    }

    /// <summary>Whether the server has closed, with nothing more sent.</summary>
    public async Task<bool> IsClosedAsync() => _received.Count == 0 && !await ReceiveAsync();

    /// <summary>Reads up to the end of the connection.</summary>
    public async Task ReadToEndAsync()
    {
        while (await ReceiveAsync())
        {
        }
    }

    public void Dispose()
    {
        _stream.Dispose();
        Socket.Dispose();
    }

    private async Task<bool> ReceiveAsync()
    {
        using var limit = new CancellationTokenSource(Patience);
        var buffer = new byte[64 * 1024];
        try
        {
            int n = await _stream.ReadAsync(buffer, limit.Token);
            _received.AddRange(buffer.AsSpan(0, n));
            return n > 0;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
