using System.Text;
using Couic.Native;
using Couic.Tests.Http;
using Couic.Tests.Support;

namespace Couic.Tests.Fuzz;

/// <summary>
/// What a client sends below TLS. The first byte is a choice (<see cref="Way"/>): the rest is what the client sends in place of a handshake, or
/// changes to a real client's bytes, three bytes each: the flight, the place in it, and what to flip there; 0 cuts the flight there. What the
/// server reads is always a prefix of what the client wrote, and what waits in its buffers is bounded.
/// </summary>
internal sealed class TlsTarget : FuzzTarget, IDisposable
{
    /// <summary>Two records, and the answers to what is not data.</summary>
    private const int MaxBuffered = 64 * 1024;

    private const string Text = "GET /v1/status HTTP/1.1\r\nHost: couic\r\n\r\n";

    private readonly TlsContext _context = TlsTests.Context();
    private readonly byte[] _buffer = new byte[4 * 1024];

    [Flags]
    private enum Way
    {
        IsRaw = 0,
        IsClient = 1,
        IsTls12 = 2,
        Renegotiates = 4,
        UpdatesKeys = 8,
        LeavesEarly = 16,
        SaysEnd = 32,
    }

    public override string Name => "tls";

    public override int Rounds => 3_000;

    public override byte[][] Pieces { get; } =
    [
        [0x16, 3, 1], [0x16, 3, 3, 0x40, 0], [0x14, 3, 3, 0, 1, 1], [0x15, 3, 3, 0, 2, 1, 0], [0x15, 3, 3, 0, 2, 2, 40], [0x17, 3, 3, 0xff, 0xff], [0x17, 3, 3, 0, 0], [1, 0, 0xff, 0xff],
        [0x80, 0x2e, 1, 0, 2], [0, 43, 0, 3, 2, 3, 4], [0, 51, 0, 2, 0, 0], [0, 10, 0, 4, 0, 2, 0, 29], [0, 41, 0, 0], [0xff, 0xff], [0, 0],
        [1], [3], [5], [7], [9], [17], [33], [0, 0, 1], [0, 5, 0], [1, 1, 0xff], [2, 3, 0], [3, 20, 1],
    ];

    /// <summary>A real first message, and each kind of client with and without changes.</summary>
    public override IEnumerable<byte[]> Seeds
    {
        get
        {
            using var peer = new TlsPeer(_context);
            byte[] hello = [];
            peer.Wire = flight => hello = flight;
            peer.Shake();
            yield return [(byte)Way.IsRaw, .. hello];
            yield return [(byte)Way.IsRaw, .. hello, .. hello];
            for (int way = 0; way < 64; way++)
            {
                yield return [(byte)(way | (int)Way.IsClient)];
                yield return [(byte)(way | (int)Way.IsClient), (byte)(way % 5), (byte)(way * 7), (byte)(way % 3)];
            }
        }
    }

    public void Dispose() => _context.Dispose();

    public override string Check(byte[] input)
    {
        var way = (Way)(input.Length > 0 ? input[0] : 0);
        byte[] rest = input.Length > 0 ? input[1..] : input;
        return way.HasFlag(Way.IsClient) ? Client(way, rest) : Raw(rest);
    }

    private string Raw(byte[] input)
    {
        using var peer = new TlsPeer(_context);
        HandshakeStep step = HandshakeStep.Waits;
        for (int at = 0, size = Math.Max(1, input.Length / 3); at < input.Length && step == HandshakeStep.Waits; at += size)
        {
            peer.Client.Send(input.AsSpan(at, Math.Min(size, input.Length - at)));
            step = Shake(peer);
        }

        peer.Client.Dispose();
        Require(step == HandshakeStep.Failed || Shake(peer) == HandshakeStep.Failed, "a client that has left is waited for");
        return $"raw {step} {peer.Session.Fault}";
    }

    private string Client(Way way, byte[] changes)
    {
        using var peer = new TlsPeer(_context, way.HasFlag(Way.IsTls12) ? 0x0303 : 0x0304);
        int flight = 0;
        bool isChanged = false;
        peer.Wire = bytes =>
        {
            byte[] changed = Change(bytes, flight++, changes);
            isChanged |= changed != bytes;
            return changed;
        };
        HandshakeStep step = HandshakeStep.Waits;
        for (int i = 0; i < 5 && step == HandshakeStep.Waits; i++)
        {
            peer.Shake();
            step = Shake(peer);
        }

        string outcome = $"{way} {step} {peer.Session.Fault}";
        if (step != HandshakeStep.Done)
        {
            Require(isChanged, $"an honest client has no session: {outcome}");
            return outcome;
        }

        peer.Shake();
        var sent = new StringBuilder();
        var received = new StringBuilder();
        for (int i = 0; i < 3; i++)
        {
            if (i == 1 && way.HasFlag(Way.Renegotiates) && way.HasFlag(Way.IsTls12))
            {
                peer.Renegotiate();
            }
            else if (i == 1 && way.HasFlag(Way.UpdatesKeys) && !way.HasFlag(Way.IsTls12))
            {
                peer.UpdateKeys();
            }

            peer.Send(Text);
            sent.Append(Text);
            Read(peer, received);
            peer.Receive();
        }

        if (way.HasFlag(Way.SaysEnd))
        {
            peer.SayEnd();
        }

        if (way.HasFlag(Way.LeavesEarly))
        {
            peer.Client.Dispose();
        }

        Read(peer, received);
        Require(sent.ToString().StartsWith(received.ToString(), StringComparison.Ordinal), "what was read was not written");
        Require(isChanged || way.HasFlag(Way.Renegotiates) || received.Length == sent.Length, $"{received.Length} of {sent.Length} bytes of an honest client were read");
        Require(peer.Session.HasEnded || isChanged || !(way.HasFlag(Way.SaysEnd) || way.HasFlag(Way.LeavesEarly)), "the end was not noticed");
        return $"{outcome} {received.Length} {peer.Session.HasEnded}";
    }

    private void Read(TlsPeer peer, StringBuilder received)
    {
        int n;
        while (!peer.Session.HasEnded && (n = peer.Session.Receive(peer.Server, _buffer)) > 0)
        {
            received.Append(Encoding.Latin1.GetString(_buffer, 0, n));
        }

        Bound(peer);
    }

    private static HandshakeStep Shake(TlsPeer peer)
    {
        HandshakeStep step = peer.Session.Handshake(peer.Server);
        Bound(peer);
        return step;
    }

    private static void Bound(TlsPeer peer) => Require(peer.Session.BufferedBytes <= MaxBuffered, $"{peer.Session.BufferedBytes} bytes wait");

    private static byte[] Change(byte[] flight, int number, byte[] changes)
    {
        byte[] result = flight;
        for (int i = 0; i + 2 < changes.Length; i += 3)
        {
            int at = changes[i + 1] * result.Length / 256;
            if (changes[i] % 8 != number || result.Length == 0)
            {
                continue;
            }

            result = changes[i + 2] == 0 ? result[..at] : [.. result[..at], (byte)(result[at] ^ changes[i + 2]), .. result[(at + 1)..]];
        }

        return result;
    }
}
