using System.Text;
using Couic.Native;
using Couic.Tests.Http;
using Couic.Tests.Support;
using Xunit;

namespace Couic.Tests.Native;

/// <summary>One session of the server, step by step, against a client whose bytes the test carries.</summary>
public sealed class TlsSessionTests : IDisposable
{
    private const int Tls10 = 0x0301, Tls11 = 0x0302, Tls12 = 0x0303, Tls13 = 0x0304;

    private readonly TlsContext _context = TlsTests.Context();
    private readonly byte[] _buffer = new byte[16 * 1024];

    public void Dispose() => _context.Dispose();

    [Theory]
    [InlineData(Tls12)]
    [InlineData(Tls13)]
    public void ASocketThatIsFull_TakesEachByteOnce(int version)
    {
        using TlsPeer peer = Established(version);
        byte[] text = new byte[3_000_000];
        new Random(1).NextBytes(text);
        int sent = 0, refused = 0;
        while (sent < text.Length)
        {
            int n = peer.Session.Send(peer.Server, text.AsSpan(sent));
            if (n == StreamSocket.WouldBlock)
            {
                refused++;
                peer.Receive();
            }
            else
            {
                Assert.InRange(n, 1, text.Length - sent);
                sent += n;
            }
        }

        peer.Receive();
        Assert.True(refused > 3, $"the socket was full {refused} times");
        Assert.True(text.AsSpan().SequenceEqual(peer.Received.ToArray()), $"{peer.Received.Count} other bytes were received");
    }

    [Theory]
    [InlineData(Tls10)]
    [InlineData(Tls11)]
    public void AnOldVersion_IsRefusedByItsAlert(int version)
    {
        using var peer = new TlsPeer(_context, version);
        Assert.Equal(HandshakeStep.Failed, peer.Handshake());
        Assert.Equal("unsupported protocol", peer.Session.Fault);
        Assert.Contains("alert protocol version", peer.Fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ECDHE-ECDSA-AES128-GCM-SHA256", true)]
    [InlineData("ECDHE-ECDSA-CHACHA20-POLY1305", true)]
    [InlineData("ECDHE-ECDSA-AES128-SHA256", false)]
    [InlineData("ECDHE-ECDSA-AES256-SHA", false)]
    [InlineData("ECDHE-ECDSA-AES128-CCM", false)]
    [InlineData("aNULL", false)]
    public void OfTls12_OnlyTheCiphersOfThePolicyAreTaken(string ciphers, bool isTaken)
    {
        using var peer = new TlsPeer(_context, Tls12, ciphers + ":@SECLEVEL=0");
        Assert.Equal(isTaken ? HandshakeStep.Done : HandshakeStep.Failed, peer.Handshake());
        Assert.Equal(isTaken ? "" : "no shared cipher", peer.Session.Fault);
    }

    [Fact]
    public void AnotherHandshake_IsRefused()
    {
        using TlsPeer peer = Established(Tls12);
        peer.Renegotiate();
        Assert.Equal(StreamSocket.WouldBlock, peer.Session.Receive(peer.Server, _buffer));
        peer.Receive();
        Assert.Equal("no renegotiation", peer.Fault);
    }

    [Fact]
    public void KeyUpdatesWithoutData_EndTheSession()
    {
        using TlsPeer peer = Established(Tls13);
        int result = StreamSocket.WouldBlock;
        for (int i = 0; i < 3_000 && result == StreamSocket.WouldBlock; i++)
        {
            peer.UpdateKeys();
            result = peer.Session.Receive(peer.Server, _buffer);
            Assert.InRange(peer.Session.BufferedBytes, 0, 64 * 1024);
        }

        Assert.Equal(-104, result);
        Assert.True(peer.Session.HasEnded);
    }

    [Fact]
    public void AFewKeyUpdates_AreAnswered()
    {
        using TlsPeer peer = Established(Tls13);
        for (int i = 0; i < 50; i++)
        {
            peer.UpdateKeys();
            peer.Send("x");
            Assert.Equal(1, peer.Session.Receive(peer.Server, _buffer));
            Assert.Equal(1, peer.Session.Send(peer.Server, "y"u8));
            peer.Receive();
        }

        Assert.Equal(new string('y', 50), Encoding.ASCII.GetString([.. peer.Received]));
        Assert.Equal(string.Empty, peer.Fault);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TheEndOfTheClient_ComesAfterItsData_WithAndWithoutItsNotice(bool isSaid)
    {
        using TlsPeer peer = Established(Tls13);
        peer.Send("last");
        if (isSaid)
        {
            peer.SayEnd();
        }

        peer.Client.Dispose();
        Assert.Equal(4, peer.Session.Receive(peer.Server, _buffer));
        Assert.Equal("last", Encoding.ASCII.GetString(_buffer, 0, 4));
        Assert.Equal(0, peer.Session.Receive(peer.Server, _buffer));
        Assert.True(peer.Session.HasEnded);
    }

    [Fact]
    public void AFlippedByte_YieldsNoData_AndEndsTheSession()
    {
        using TlsPeer peer = Established(Tls13);
        peer.Wire = flight => [.. flight[..^1], (byte)(flight[^1] ^ 1)];
        peer.Send("x");
        Assert.Equal(-104, peer.Session.Receive(peer.Server, _buffer));
    }

    private TlsPeer Established(int version)
    {
        var peer = new TlsPeer(_context, version);
        Assert.Equal(HandshakeStep.Done, peer.Handshake());
        Assert.True(peer.IsEstablished, peer.Fault);
        return peer;
    }
}
